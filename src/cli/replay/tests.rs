use super::*;
use crate::replay::engine::{Constants, Profile};
use crate::replay::report::Row;
use clap::Parser;
use std::fs;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn parse(line: &str) -> Result<Args, String> {
    let words = std::iter::once("replay").chain(line.split_whitespace());
    Cli::try_parse_from(words).map(|cli| cli.args).map_err(|error| error.to_string())
}

fn compared(lines: &str, flags: &str) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("trace.jsonl");
    std::fs::write(&file, lines)?;
    let args = parse(&format!("{} {flags}", file.display())).map_err(anyhow::Error::msg)?;
    Ok(compare::compare(args)?.rows)
}

const PROMPTS: &str = r#"{"timestamp": 0, "session": "a", "prompt": "once upon a time", "max_tokens": 5}
{"timestamp": 1000, "session": "a", "prompt": "once upon a time there was", "max_tokens": 5}
"#;

#[test]
fn every_policy_that_was_asked_for_has_a_row_in_their_order() {
    let rows = compared(PROMPTS, "--format prompts --policy random --policy default --rate 3/s").expect("readable");
    let said: Vec<_> = rows.iter().map(|row| (row.policy.as_str(), row.rate, row.capacity)).collect();
    assert_eq!(said, [("random", 3.0, None), ("default", 3.0, None)]);
}

#[test]
fn every_number_of_pickers_that_was_asked_for_has_a_row_for_each_policy() {
    let flags = "--format prompts --policy random --policy llm-d --pickers 1,3";
    let rows = compared(PROMPTS, flags).expect("readable");
    let said: Vec<_> = rows.iter().map(|row| (row.policy.as_str(), row.pickers)).collect();
    assert_eq!(said, [("random", 1), ("random", 3), ("llm-d", 1), ("llm-d", 3)]);
    assert!(report::table(&rows).contains("random x 3"), "{}", report::table(&rows));
}

#[test]
fn several_pickers_of_homing_have_a_row_for_each_interval_and_others_just_one() {
    let flags = "--policy random --policy default --pickers 1,2 --share-every 50ms,none";
    let rows = compared(PROMPTS, flags).expect("readable");
    let said: Vec<_> = rows.iter().map(|row| (row.policy.as_str(), row.pickers, row.share_every)).collect();
    let homing = [("default", 1, None), ("default", 2, Some(0.05)), ("default", 2, None)];
    assert_eq!(said[..2], [("random", 1, None), ("random", 2, None)]);
    assert_eq!(said[2..], homing);
    for nobody in ["--policy default --share-every 50ms", "--policy random --pickers 2 --share-every 50ms"] {
        let error = compared(PROMPTS, nobody).expect_err("nobody to tell");
        assert!(error.to_string().starts_with("--share-every: "), "{error}");
    }
}

#[test]
fn a_rate_may_be_relative_and_a_capacity_is_searched_for_instead() {
    assert_eq!(compared(PROMPTS, "--format prompts --policy random --rate 2x").expect("readable")[0].rate, 2.0);
    let rows = compared(PROMPTS, "--format prompts --policy random --capacity").expect("readable");
    assert_eq!(rows[0].capacity, Some(rows[0].rate));
    assert!(rows[0].rate > 100.0, "two small requests are nothing");
    assert!(parse("t --rate 2x --capacity").is_err());
}

#[test]
fn several_rates_are_rows_of_each_policy_in_their_order() {
    let flags = "--format prompts --policy random --policy default --rate 3/s --rate 2/s";
    let rows = compared(PROMPTS, flags).expect("readable");
    let said: Vec<_> = rows.iter().map(|row| (row.policy.as_str(), row.rate)).collect();
    assert_eq!(said, [("random", 3.0), ("random", 2.0), ("default", 3.0), ("default", 2.0)]);
}

#[test]
fn the_page_is_written_with_every_cache_that_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, report) = (folder.path().join("trace.jsonl"), folder.path().join("new/report"));
    fs::write(&trace, PROMPTS).expect("written");
    let flags = "--format prompts --policy random --rate 3/s --rate 2/s --cache-tokens 1000 --output json";
    let line = format!("{} {flags} --report {} --report-caches 0.5,1,3", trace.display(), report.display());
    run(parse(&line).expect("flags")).expect("written");
    let page = fs::read_to_string(report.join("index.html")).expect("a page");
    for said in ["<td>500</td>", "<td>1000</td>", "<td>3000</td>", "<td>3.00/s</td>", "<td>2.00/s</td>"] {
        assert_eq!(page.matches(said).count(), 1, "{said}");
    }
    for said in [
        "<td>3/s, 2/s</td>",
        "<th>pickers</th><td>1</td>",
        "cache 1000 tokens in blocks of 16",
        "<td>0 requests</td>",
        "prompts</td>",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(parse("t --report-caches 2").is_err(), "without a page");
}

#[test]
fn the_page_says_what_of_a_configuration_differs_from_the_defaults() {
    let folder = tempfile::tempdir().expect("a folder");
    let [trace, config] = ["trace.jsonl", "four.yaml"].map(|name| folder.path().join(name));
    fs::write(&trace, PROMPTS).expect("written");
    fs::write(&config, "scorers: {prefixLocality: {weight: 4}}").expect("written");
    let (trace, config, report) = (trace.display(), config.display(), folder.path().display());
    let line = format!("{trace} --policy default --policy {config} --report {report} --report-caches 1");
    run(parse(&line).expect("flags")).expect("written");
    let page = fs::read_to_string(folder.path().join("index.html")).expect("a page");
    assert!(page.contains("<th>default</th><td>the defaults</td>"), "{page}");
    assert!(page.contains("<th>four</th><td>scorers.prefixLocality.weight: 4.0</td>"), "{page}");
}

#[test]
fn what_is_wrong_with_a_trace_is_said_with_file_line_and_field() {
    let error = compared(&PROMPTS.replace("1000", "\"soon\""), "--format prompts").expect_err("no time");
    let said = format!("{error:#}");
    assert!(said.contains("trace.jsonl: line 2: timestamp: "), "{said}");
    let (first, rest) = said.split_once("trace.jsonl: ").expect("the file");
    assert!(!rest.contains("trace.jsonl") && !first.contains("line"), "said twice: {said}");
    let missing = run(parse("/nowhere/trace.jsonl").expect("flags")).expect_err("no such file");
    assert_eq!(format!("{missing:#}"), "/nowhere/trace.jsonl: No such file or directory (os error 2)");
}

#[test]
fn a_change_of_a_replica_that_is_not_there_is_refused() {
    let flags = "--format prompts --policy random --replicas 2 --event 1s:add:1 --event";
    assert!(compared(PROMPTS, &format!("{flags} 2s:fail:r2")).is_ok());
    let error = compared(PROMPTS, &format!("{flags} 2s:fail:r3")).expect_err("nobody");
    assert_eq!(error.to_string(), "--event: there is no replica r3 after 2 s");
}

#[test]
fn what_would_do_nothing_or_could_not_be_told_apart_is_refused() {
    let mooncake = r#"{"timestamp": 0, "input_length": 9, "output_length": 1, "hash_ids": [1]}"#;
    for (trace, flags, said) in [
        (PROMPTS, "--policy random --policy random", "--policy: \"random\" is there twice"),
        (PROMPTS, "--pickers 1,2,2", "--pickers: 2 is there twice"),
        (PROMPTS, "--rate 2/s --rate 1/s --event 3s:fail:r0", "--event: the last request comes after 2 s"),
        (mooncake, "--block-tokens 16", "--block-tokens: the hash ids"),
        (mooncake, "--format prompts", "line 1: missing field `messages`"),
    ] {
        let error = compared(trace, flags).expect_err(flags);
        assert!(format!("{error:#}").contains(said), "{flags}: {error:#}");
    }
    assert!(compared(PROMPTS, "--policy random --rate 2/s --rate 1/s --event 2s:fail:r0").is_ok());
}

#[test]
fn a_format_that_is_left_out_is_told_by_the_first_line() {
    let mooncake = r#"{"timestamp": 0, "input_length": 9, "output_length": 1, "hash_ids": [1]}"#;
    for trace in [PROMPTS, mooncake] {
        assert_eq!(compared(trace, "--policy random").expect("readable").len(), 1);
    }
}

#[test]
fn copies_are_more_requests_a_second_and_texts_have_none() {
    let line = |at| {
        format!(
            "{{\"timestamp\": {}, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [{at}]}}\n",
            at * 1_000
        )
    };
    let lines: String = (0..4).map(line).collect();
    let rates = |flags: &str| compared(&lines, flags).map(|rows| rows[0].rate);
    assert_eq!(rates("--policy random").expect("readable"), 1.0);
    assert_eq!(rates("--policy random --copies 3").expect("readable"), 3.0);
    let error = compared(PROMPTS, "--format prompts --copies 2").expect_err("texts");
    assert!(error.to_string().starts_with("--copies: "), "{error}");
}

#[test]
fn every_constant_of_the_engines_can_be_set() {
    let flags = "t --profile 8b-1gpu --cache-tokens 1000 --block-tokens 8 --step-tokens 64 --max-sequences 3 \
                 --tokens-per-second 10 --base-step 5ms --kv-read 7 --attention-tokens 100";
    let engines = parse(flags).expect("flags").engines;
    assert_eq!(engines.block_tokens(), 8);
    let constants = engines.constants(8);
    assert_eq!((constants.cache_tokens, constants.step_tokens, constants.max_sequences), (1_000, 64, 3));
    assert_eq!((constants.tokens_per_second, constants.base_step), (10.0, 0.005));
    assert!((constants.kv_read - 7e-9).abs() < 1e-15);
    assert_eq!(constants.attention_tokens, 100.0);
}

#[test]
fn the_help_has_the_constants_of_the_profiles() {
    let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let [large, small] = Profile::ALL.map(Profile::constants);
    let pair = |of: fn(&Constants) -> f64| format!("[default: {}, {}]", of(&large), of(&small));
    for defaults in [
        pair(|constants| constants.cache_tokens as f64),
        pair(|constants| constants.block_tokens as f64),
        pair(|constants| constants.step_tokens as f64),
        pair(|constants| constants.max_sequences as f64),
        pair(|constants| constants.tokens_per_second),
        pair(|constants| (constants.kv_read * 1e9).round()),
        pair(|constants| constants.attention_tokens),
        format!("[default: {}ms, {}ms]", large.base_step * 1e3, small.base_step * 1e3),
    ] {
        assert!(help.contains(&defaults), "{defaults}");
    }
}

#[test]
fn the_help_names_every_policy() {
    let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
    assert!(Spec::names().all(|name| help.contains(name)), "{help}");
}

#[test]
fn what_cannot_be_is_refused_on_the_command_line() {
    for flags in [
        "--rate 0x",
        "--replicas 0",
        "--replicas 4097",
        "--pickers 1,257",
        "--copies 0",
        "--scrape 0s",
        "--scrape 900us",
        "--warm-up 100%",
        "--warm-up 0.1",
        "--warm-up -1%",
        "--share-every 0s",
        "--share-every 2s",
        "--share-every often",
        "--policy fastest",
        "--policy a=/nowhere",
        "--profile gpu",
        "--tokens-per-second 0",
        "--kv-read -1",
        "--cache-tokens 0",
        "--format csv",
        "--event 30s:stop:r1",
    ] {
        assert!(parse(&format!("t {flags}")).is_err(), "{flags}");
    }
}
