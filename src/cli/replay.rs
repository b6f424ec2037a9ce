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

    /// What to compare: a policy's name, or NAME=FILE for Homing with that configuration; may be repeated.
    #[arg(long = "policy", value_name = "NAME[=FILE]")]
    policies: Vec<Spec>,

    /// How many engines there are.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,

    /// How fast requests come: `2x` is twice the trace's own rate, `4.5/s` so many a second on average.
    #[arg(long, default_value = "1x", value_name = "RATE")]
    rate: Rate,

    /// Search for the highest rate at which 90 % of the requests see their first token within 1 s + 2 x the time that
    /// their prompt takes on an idle engine with an empty cache.
    #[arg(long, conflicts_with = "rate")]
    capacity: bool,

    /// Time between two looks at an engine's metrics; where it is left out, each policy's own.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
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
    let Args { trace: path, format, mut policies, replicas, rate, capacity, scrape, sessions_by_prefix, .. } = args;
    let Args { seed, output, engines, .. } = args;
    let format = match format {
        FormatName::Mooncake => Format::Mooncake,
        FormatName::Prompts => Format::Prompts { block_tokens: engines.block_tokens() },
    };
    let trace = Trace::file(path.clone(), format);
    let unreadable = || path.display().to_string();
    let survey = trace.survey().with_context(unreadable)?;
    if scrape.is_some_and(|interval| interval.is_zero()) {
        anyhow::bail!("--scrape: an engine cannot be asked all the time");
    }
    if policies.is_empty() {
        policies = POLICIES.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    }
    let stage = Stage {
        trace: &trace,
        survey: &survey,
        constants: engines.constants(trace.block_tokens()),
        replicas: usize::from(replicas),
        scrape,
        sessions_by_prefix,
        seed,
        base: Now::read(),
    };
    let mut progress = Progress::new(policies.len());
    let mut rows = Vec::new();
    for spec in &policies {
        let mut told = progress.begin(&spec.name);
        let (row, outcome) = if capacity {
            measure_capacity(&stage, spec, &mut told).with_context(unreadable)?
        } else {
            measure(&stage, spec, rate, &mut told).with_context(unreadable)?
        };
        if outcome.left_out() > 0 {
            progress.note(&format!("{}: {} requests are longer than a cache; left out", spec.name, outcome.left_out()));
        }
        rows.push(row);
    }
    progress.finish();
    let text = match output {
        Output::Table => report::table(&rows),
        Output::Json => report::json(&rows)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes()).context("standard output cannot be written")?;
    Ok(ExitCode::SUCCESS)
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
