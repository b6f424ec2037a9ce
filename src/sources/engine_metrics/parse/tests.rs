use proptest::prelude::*;

use super::*;

/// Recorded from vLLM 0.32.0 on a CPU.
const RECORDED: &[u8] = include_bytes!("../../../../tests/data/vllm-0.32-metrics.txt");

#[test]
fn the_recorded_page_says_what_the_engine_said() {
    let report = parse(RECORDED);
    let expected = EngineReport {
        waiting: Some(0),
        running: Some(0),
        kv_usage: Some(0.0),
        block_tokens: Some(32),
        blocks: Some(256),
        process_start: Some(1_795_254_582.17),
    };
    assert_eq!(report, expected);
    assert_eq!(report.cache_tokens(), Some(8192));
}

#[test]
fn ranks_are_added_and_the_fullest_counts() {
    let page = br#"
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 4
vllm:num_requests_running{engine="0"} 1 1700000000000
vllm:num_requests_running{engine="1"} 2 1700000000000
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="100"} 1.0
vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="50"} 1.0
"#;
    let report = parse(page);
    assert_eq!((report.waiting, report.running, report.kv_usage), (Some(7), Some(3), Some(0.75)));
    assert_eq!((report.block_tokens, report.blocks), (Some(16), Some(150)));
    assert_eq!(report.process_start, None);
}

#[test]
fn a_longer_name_is_another_family() {
    let page = b"vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 9\nvllm:num_requests_waitin 9\n";
    assert_eq!(parse(page), EngineReport::default());
}

#[test]
fn what_is_no_number_of_requests_is_left_out() {
    for value in ["NaN", "+Inf", "-Inf", "-1", "many"] {
        let page = format!("vllm:num_requests_waiting {value}\nvllm:num_requests_running 2\n");
        let report = parse(page.as_bytes());
        assert_eq!((report.waiting, report.running), (None, Some(2)), "{value}");
    }
    let unset = parse(b"vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"None\"} 1\n");
    assert_eq!((unset.block_tokens, unset.blocks), (Some(16), None));
}

#[test]
fn a_line_without_end_is_passed_over_and_the_next_is_read() {
    let mut page = b"vllm:num_requests_waiting{x=\"".to_vec();
    page.extend(std::iter::repeat_n(b'y', LINE));
    page.extend(b"\"} 5\r\nvllm:num_requests_running 2\r\n# EOF");
    for size in [1, 7, 4096, page.len()] {
        let mut pieces = Page::default();
        page.chunks(size).for_each(|piece| pieces.push(piece));
        assert!(pieces.line.capacity() <= 2 * LINE);
        let report = pieces.finish();
        assert_eq!((report.waiting, report.running), (None, Some(2)), "{size}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(page in any::<Vec<u8>>()) {
        let _ = parse(&page);
    }

    #[test]
    fn what_looks_like_a_page_never_panics_and_may_be_cut_anywhere(
        page in "((vllm:num_requests_waiting|vllm:cache_config_info|f)(\\{|block_size=|\"|\\\\|,|\\}| |\n|-?[0-9]{1,3}|NaN|[+]Inf|é){0,8}){0,8}",
        cut in 1_usize..40,
    ) {
        let mut pieces = Page::default();
        page.as_bytes().chunks(cut).for_each(|piece| pieces.push(piece));
        prop_assert_eq!(pieces.finish(), parse(page.as_bytes()));
    }

    #[test]
    fn the_recorded_page_may_be_cut_anywhere(cut in 1_usize..5000) {
        let mut pieces = Page::default();
        RECORDED.chunks(cut).for_each(|piece| pieces.push(piece));
        prop_assert_eq!(pieces.finish(), parse(RECORDED));
    }
}
