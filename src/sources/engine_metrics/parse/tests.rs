use proptest::prelude::*;

use super::*;
use crate::model::{Adapter, AdapterReport};

/// Recorded from vLLM 0.32.0 on a CPU.
const RECORDED: &[u8] = include_bytes!("../../../../tests/data/vllm-0.32-metrics.txt");
/// The others are written by hand.
const SGLANG: &[u8] = include_bytes!("../../../../tests/data/sglang-metrics.txt");
const TRTLLM_SERVE: &[u8] = include_bytes!("../../../../tests/data/trtllm-serve-metrics.txt");
const TRITON: &[u8] = include_bytes!("../../../../tests/data/triton-tensorrt-llm-metrics.txt");

#[test]
fn the_recorded_page_says_what_the_engine_said() {
    let report = parse(RECORDED);
    let expected = EngineReport {
        engine: Some(EngineKind::Vllm),
        waiting: Some(0),
        running: Some(0),
        kv_usage: Some(0.0),
        block_tokens: Some(32),
        blocks: Some(256),
        adapters: None,
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
fn the_page_of_every_engine_is_understood() {
    let report = |engine, waiting, running, kv_usage, block_tokens, blocks| EngineReport {
        engine: Some(engine),
        waiting: Some(waiting),
        running: Some(running),
        kv_usage: Some(kv_usage),
        block_tokens: Some(block_tokens),
        blocks: Some(blocks),
        ..EngineReport::default()
    };
    for (page, expected) in [
        // Ranks 0 and 1 have 5 and 2 waiting; the ranks inside them and the priorities are no more requests.
        (SGLANG, report(EngineKind::Sglang, 7, 9, 0.41, 64, 3100)),
        (TRTLLM_SERVE, report(EngineKind::TrtllmServe, 3, 8, 0.625, 32, 6239)),
        (TRITON, report(EngineKind::TritonTensorrtLlm, 7, 12, 0.25, 64, 6239)),
    ] {
        assert_eq!(parse(page), expected);
        let mut alone = Page::of(expected.engine);
        alone.push(page);
        assert_eq!(alone.finish(), expected);
    }
}

#[test]
fn a_page_may_lack_most_of_it() {
    let older_sglang = br#"
sglang:num_queue_reqs{model_name="m",tp_rank="0"} 2.0
sglang:cache_config_info{model_name="m",num_pages="4000",page_size="1",tp_rank="0"} 1.0
sglang:cache_config_info{model_name="m",num_pages="4000",page_size="1",tp_rank="1"} 1.0
"#;
    let report = parse(older_sglang);
    assert_eq!((report.engine, report.waiting, report.running), (Some(EngineKind::Sglang), Some(2), None));
    assert_eq!(report.cache_tokens(), Some(4000));
    let older_vllm = parse(b"vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n");
    assert_eq!((older_vllm.engine, older_vllm.kv_usage), (Some(EngineKind::Vllm), Some(0.5)));
    let triton =
        b"nv_inference_pending_request_count{model=\"a\"} 3\nnv_inference_pending_request_count{model=\"b\"} 4\n";
    let triton = parse(triton);
    assert_eq!((triton.engine, triton.waiting, triton.running), (Some(EngineKind::TritonTensorrtLlm), Some(7), None));
}

#[test]
fn the_order_of_labels_makes_no_group() {
    let page = br#"
vllm:num_requests_waiting{engine="0",model_name="m",extra="a"} 3
vllm:num_requests_waiting{model_name="m",engine="0"} 5
vllm:num_requests_waiting{engine="m",model_name="0"} 1
"#;
    assert_eq!(parse(page).waiting, Some(6));
}

#[test]
fn the_names_of_another_engine_count_only_where_none_is_named() {
    let both = [SGLANG, RECORDED].concat();
    assert_eq!(parse(&both).engine, Some(EngineKind::Vllm));
    for (engine, waiting) in [(EngineKind::Sglang, Some(7)), (EngineKind::TrtllmServe, None)] {
        let mut page = Page::of(Some(engine));
        page.push(&both);
        let report = page.finish();
        assert_eq!((report.engine, report.waiting), (waiting.map(|_| engine), waiting));
        assert!(report.process_start.is_some(), "every engine may say when it started");
    }
}

#[test]
fn groups_are_bounded() {
    let line = |rank: usize| format!("vllm:num_requests_waiting{{engine=\"{rank}\"}} 1\n");
    let page: String = (0..10_000).map(line).collect();
    assert_eq!(parse(page.as_bytes()).waiting, Some(256));
}

#[test]
fn the_newest_series_lists_the_adapters() {
    let series = |slots: &str, running: &str, waiting: &str, time: &str| {
        format!(
            "vllm:lora_requests_info{{max_lora=\"{slots}\",running_lora_adapters=\"{running}\",\
             waiting_lora_adapters=\"{waiting}\"}} {time}\n"
        )
    };
    let adapters = |page: String| parse(page.as_bytes()).adapters;
    let listed = |slots: usize, names: &[&str]| {
        Some(AdapterReport { slots, in_use: names.iter().map(|name| Adapter::named(name)).collect() })
    };
    let (old, new) = (series("4", "old", "", "1.7886264546e+09"), series("4", "a, b", " c ,,", "1.7886264577e+09"));
    let idle = series("4", "", "", "1.7886264580e+09");
    for page in [old.clone() + &new, new.clone() + &old] {
        assert_eq!(adapters(page), listed(4, &["c", "a", "b"]));
    }
    assert_eq!(adapters(old + &new + &idle), listed(4, &[]));
    assert_eq!(adapters(series("0", "", "", "1.0")), None, "an engine without adapters");
    assert_eq!(adapters(series("4", "a", "", "NaN")), None);
    assert_eq!(adapters(series("1", &"long,".repeat(12_000), "", "1.0")).map(|report| report.in_use.len()), Some(1024));
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
        page in "((vllm:num_requests_waiting|vllm:cache_config_info|vllm:lora_requests_info|sglang:page_size|f)(\\{|block_size=|max_lora=|priority=|\"|\\\\|,|\\}| |\n|-?[0-9]{1,3}|NaN|[+]Inf|é){0,8}){0,8}",
        cut in 1_usize..40,
    ) {
        let mut pieces = Page::default();
        page.as_bytes().chunks(cut).for_each(|piece| pieces.push(piece));
        prop_assert_eq!(pieces.finish(), parse(page.as_bytes()));
    }

    #[test]
    fn a_page_may_be_cut_anywhere(cut in 1_usize..5000, which in 0..4_usize) {
        let page = [RECORDED, SGLANG, TRTLLM_SERVE, TRITON][which];
        let mut pieces = Page::default();
        page.chunks(cut).for_each(|piece| pieces.push(piece));
        prop_assert_eq!(pieces.finish(), parse(page));
    }
}
