//! `homing replay`: what a policy would have done to a trace, on simulated engines in virtual time.

mod asked;
mod compare;
mod engines;
mod folder;
mod input;
mod measure;
mod progress;
mod settings;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::replay::Rate;
use crate::replay::change::Change;
use crate::replay::page;
use crate::replay::policy::Spec;
use crate::replay::report;

use compare::Comparison;
use engines::{Engines, above_zero};
use folder::Folder;

/// Replays a trace of requests against simulated engines, and compares who picks.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trace; it is read more than once.
    trace: PathBuf,

    /// How the trace is written; where it is left out, the fields of its first line tell.
    #[arg(long, value_enum)]
    format: Option<FormatName>,

    /// What to compare; may be repeated. NAME=FILE is Homing with the configuration in that file, `default` Homing with
    /// the defaults; FILE alone is named after the file. Others: `round-robin`, `random`, `least-requests`, `session-hash` (with bounded load), `llm-d`
    /// (its scorers as read, weights 3, 2, 2), `greedy-ttft` (knows everything), `pooled-cache` and `infinite-cache`
    /// (bounds) [default: `default`, `round-robin`, `llm-d`, `pooled-cache`].
    #[arg(long = "policy", value_name = "NAME[=FILE]")]
    policies: Vec<Spec>,

    /// How many engines there are.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4_096))]
    replicas: u16,

    /// How many pickers there are; several share nothing, and requests reach any of them. A list compares.
    #[arg(
        long, default_value = "1", value_name = "N[,N]", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pickers: Vec<u16>,

    /// How fast requests come: `2x` is twice the trace's own rate, `4.5/s` so many a second on average. May be
    /// repeated.
    #[arg(long = "rate", default_value = "1x", value_name = "RATE")]
    rates: Vec<Rate>,

    /// The trace so many times over at once, for more replicas than it was written for: each copy has users of its own
    /// who share only the blocks that all prompts begin with, and goes round from another place of the trace. At `1x`
    /// N copies make N times the requests in a second. Only where the trace has hash ids.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    copies: u16,

    /// Search for the highest rate at which 90 % of the requests see their first token within 1 s + 2 x the time that
    /// their prompt takes on an idle engine with an empty cache. What is found was replayed 5 and 10 % below as well,
    /// because more requests do not always do worse.
    #[arg(long, conflicts_with = "rates")]
    capacity: bool,

    /// The first part of the requests fills the caches and counts nowhere, as caches in production are full: `10%`.
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = part)]
    warm_up: f64,

    /// Time between two looks at an engine's metrics; where it is left out, each policy's own (Homing: what its
    /// configuration says; `llm-d`: 50ms).
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    scrape: Option<Duration>,

    /// Requests that name no session get that of the conversation that they go on, as if clients sent their sessions'
    /// ids: a prompt goes on the earlier one whose full blocks it begins with, as long as no other did.
    #[arg(long)]
    sessions_by_prefix: bool,

    /// What happens to a replica, at a time of the replay; may be repeated. `30s:fail:r3`: it dies, all that it had
    /// fails, and it leaves the pool a second later; until then it refuses connections, and nobody tries again.
    /// `30s:remove:r3`: it leaves the pool and ends what it has. `60s:add:2`: two with empty caches join, with the next
    /// numbers. The first replica is `r0`. A bound's cache keeps its size.
    #[arg(long = "event", value_name = "TIME:WHAT:WHOM")]
    changes: Vec<Change>,

    /// Where all chance comes from: the same seed gives the same numbers.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,

    /// How the outcome is written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,

    /// Writes a page with charts, `index.html`, into this folder: time to first token against rate (of every `--rate`,
    /// or of what the search for the capacity replayed to the end), hits against cache size, and load over time.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,

    /// The sizes of caches for the page, as multiples of that of `--profile` or `--cache-tokens`. Each takes a replay
    /// of each policy, at the first `--rate` or at the policy's own capacity; `1` alone takes none.
    #[arg(
        long, requires = "report", default_value = "0.25,0.5,1,2,4", value_name = "N[,N]", value_delimiter = ',',
        value_parser = above_zero
    )]
    report_caches: Vec<f64>,

    #[command(flatten)]
    engines: Engines,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FormatName {
    /// JSONL with `timestamp` (ms), `input_length`, `output_length` and `hash_ids`, one for 512 tokens.
    Mooncake,
    /// JSONL with `timestamp` (ms, or a date and time), the fields of a request's body or all of it under `body`, and,
    /// if they are known, `session`, `output_tokens` and
    /// `stream`, which is taken as true.
    Prompts,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Output {
    /// A table for people.
    #[default]
    Table,
    /// A JSON array with one object a policy.
    Json,
}

/// What the columns of the table are.
const LEGEND: &str = "
hits: share of the prompts' tokens that engines found in their caches; TTFT: time to first token
in time: share of requests that saw it within 1 s + 2 x what their prompt takes on an idle engine with an empty cache
";
/// The shortest time between two looks at an engine.
const SHORTEST: Duration = Duration::from_millis(1);

/// Replays a trace.
///
/// # Errors
/// The trace cannot be read, what is asked for cannot be, or the page cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = args.output;
    let folder = args.report.as_deref().map(Folder::make).transpose()?;
    let Comparison { rows, page } = compare::compare(args)?;
    let text = match output {
        Output::Table => report::table(&rows) + LEGEND,
        Output::Json => report::json(&rows)? + "\n",
    };
    let printed = print(&text);
    if let Some(folder) = folder {
        folder.write(&page::html(&page))?;
    }
    printed.map(|()| ExitCode::SUCCESS)
}

fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read it has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("standard output cannot be written"),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval < SHORTEST { Err("an engine can be asked once in 1ms at most".to_owned()) } else { Ok(interval) }
}

/// A part of the whole, 0 to 1, from `10%`.
fn part(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| (0.0..100.0).contains(percent));
    percent.map(|percent| percent / 100.0).ok_or_else(|| "a share is written as 10%, and is less than 100%".to_owned())
}

#[cfg(test)]
mod tests {
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
}
