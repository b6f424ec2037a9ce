//! `homing replay`: what a policy would have done to a trace, on simulated engines in virtual time.

mod engines;
mod progress;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::model::Now;
use crate::replay::policy::Spec;
use crate::replay::report::{self, Row};
use crate::replay::run::{Outcome, Stage, run as replay};
use crate::replay::trace::{Format, Survey, Trace};
use crate::replay::{Rate, capacity};

use engines::Engines;
use progress::Progress;

/// What is compared where nothing is said.
const POLICIES: [&str; 4] = ["default", "round-robin", "llm-d", "pooled-cache"];

/// Replays a trace of requests against simulated engines, and compares who picks.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trace; it is read more than once.
    trace: PathBuf,

    /// How the trace is written.
    #[arg(long, value_enum, default_value_t)]
    format: FormatName,

    /// What to compare; may be repeated. NAME=FILE is Homing with the configuration in that file, `default` Homing with
    /// the defaults. Others: `round-robin`, `random`, `least-requests`, `session-hash` (with bounded load), `llm-d`
    /// (its scorers as read, weights 3, 2, 2), `greedy-ttft` (knows everything), `pooled-cache` and `infinite-cache`
    /// (bounds).
    #[arg(long = "policy", value_name = "NAME[=FILE]")]
    policies: Vec<Spec>,

    /// How many engines there are.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,

    /// How many pickers there are; several share nothing, and requests reach any of them. A list compares.
    #[arg(
        long, default_value = "1", value_name = "N[,N]", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pickers: Vec<u16>,

    /// How fast requests come: `2x` is twice the trace's own rate, `4.5/s` so many a second on average.
    #[arg(long, default_value = "1x", value_name = "RATE")]
    rate: Rate,

    /// Search for the highest rate at which 90 % of the requests see their first token within 1 s + 2 x the time that
    /// their prompt takes on an idle engine with an empty cache.
    #[arg(long, conflicts_with = "rate")]
    capacity: bool,

    /// Time between two looks at an engine's metrics; where it is left out, each policy's own.
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    scrape: Option<Duration>,

    /// Requests that name no session get one by the first block of their prompt that is not in all prompts: as if
    /// clients sent their sessions' ids.
    #[arg(long)]
    sessions_by_prefix: bool,

    /// Where all chance comes from: the same seed gives the same numbers.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,

    /// How the outcome is written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,

    #[command(flatten)]
    engines: Engines,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum FormatName {
    /// JSONL with `timestamp` (ms), `input_length`, `output_length` and `hash_ids`, one for 512 tokens.
    #[default]
    Mooncake,
    /// JSONL with `timestamp` (ms, or a date and time), `messages` or `prompt`, and, if they are known, `session` and
    /// `max_tokens`.
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

/// Replays a trace.
///
/// # Errors
/// The trace cannot be read, or nobody reads what is printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = args.output;
    let rows = compare(args)?;
    let text = match output {
        Output::Table => report::table(&rows),
        Output::Json => report::json(&rows)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes()).context("standard output cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn compare(args: Args) -> anyhow::Result<Vec<Row>> {
    let Args {
        trace: path,
        format,
        mut policies,
        replicas,
        pickers,
        rate,
        capacity,
        scrape,
        sessions_by_prefix,
        seed,
        output: _,
        engines,
    } = args;
    let format = match format {
        FormatName::Mooncake => Format::Mooncake,
        FormatName::Prompts => Format::Prompts { block_tokens: engines.block_tokens() },
    };
    let trace = Trace::file(path.clone(), format);
    let unreadable = || path.display().to_string();
    let survey = trace.survey().with_context(unreadable)?;
    if policies.is_empty() {
        policies = POLICIES.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    }
    let stage = Stage {
        trace: &trace,
        survey: &survey,
        constants: engines.constants(trace.block_tokens()),
        replicas: usize::from(replicas),
        pickers: 1,
        scrape,
        sessions_by_prefix,
        seed,
        base: Now::read(),
    };
    let compared: Vec<_> = policies.iter().flat_map(|spec| pickers.iter().map(move |count| (spec, *count))).collect();
    let mut progress = Progress::new(compared.len());
    let mut rows = Vec::new();
    for (spec, pickers) in compared {
        let mut told = progress.begin(&spec.name);
        let stage = Stage { pickers: usize::from(pickers), ..stage };
        let measured =
            if capacity { measure_capacity(&stage, spec, &mut told) } else { measure(&stage, spec, rate, &mut told) };
        let (row, outcome) = measured.with_context(unreadable)?;
        if outcome.left_out() > 0 {
            progress.note(&format!("{}: {} requests are longer than a cache; left out", spec.name, outcome.left_out()));
        }
        rows.push(Row { pickers: u32::from(pickers), ..row });
    }
    progress.finish();
    Ok(rows)
}

fn measure(stage: &Stage<'_>, spec: &Spec, rate: Rate, told: &mut dyn FnMut(f64)) -> anyhow::Result<(Row, Outcome)> {
    let requests = stage.survey.requests as f64;
    let outcome = replay(stage, &spec.kind, rate, None, &mut |arrived| told(arrived as f64 / requests))?;
    Ok((row(spec, None, per_second(rate, stage.survey), &outcome), outcome))
}

fn measure_capacity(stage: &Stage<'_>, spec: &Spec, told: &mut dyn FnMut(f64)) -> anyhow::Result<(Row, Outcome)> {
    let found = capacity::capacity(stage, &spec.kind, told)?;
    Ok((row(spec, Some(found.rate), found.rate, &found.outcome), found.outcome))
}

fn row(spec: &Spec, capacity: Option<f64>, rate: f64, outcome: &Outcome) -> Row {
    Row { policy: spec.name.clone(), pickers: 1, share_every: None, capacity, rate, summary: outcome.summary() }
}

/// Requests in a second; 0 where a trace without times is replayed at its own rate, which is all at once.
fn per_second(rate: Rate, survey: &Survey) -> f64 {
    match rate {
        Rate::PerSecond(rate) => rate,
        Rate::Times(times) => survey.rate().map_or(0.0, |own| own * times),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval.is_zero() { Err("an engine cannot be asked all the time".to_owned()) } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

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
        compare(parse(&format!("{} {flags}", file.display())).map_err(anyhow::Error::msg)?)
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
    fn what_is_wrong_with_a_trace_is_said_with_file_line_and_field() {
        let error = compared(&PROMPTS.replace("1000", "\"soon\""), "--format prompts").expect_err("no time");
        let said = format!("{error:#}");
        assert!(said.contains("trace.jsonl: line 2: timestamp: "), "{said}");
        let missing = compare(parse("/nowhere/trace.jsonl").expect("flags")).expect_err("no such file");
        assert!(format!("{missing:#}").starts_with("/nowhere/trace.jsonl: "), "{missing:#}");
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
    fn the_help_names_every_policy() {
        let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
        assert!(Spec::names().all(|name| help.contains(name)), "{help}");
    }

    #[test]
    fn what_cannot_be_is_refused_on_the_command_line() {
        for flags in [
            "--rate 0x",
            "--replicas 0",
            "--scrape 0s",
            "--policy fastest",
            "--policy a=/nowhere",
            "--profile gpu",
            "--tokens-per-second 0",
            "--kv-read -1",
            "--cache-tokens 0",
            "--format csv",
        ] {
            assert!(parse(&format!("t {flags}")).is_err(), "{flags}");
        }
    }
}
