//! `homing replay`: what a policy would have done to a trace, on simulated engines in virtual time.

mod asked;
mod compare;
mod engines;
mod folder;
mod input;
mod measure;
mod progress;
mod settings;
mod sharing;

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
use sharing::ShareEvery;

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

    /// How many pickers there are; requests reach any of them. A list compares.
    #[arg(
        long, default_value = "1", value_name = "N[,N]", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pickers: Vec<u16>,

    /// How often several pickers tell each other what they know, or `none`. A list compares. Each telling takes 4 ms to
    /// arrive. Only Homing's pickers can: others share nothing, whatever is said here.
    #[arg(long, default_value = "none", value_name = "DURATION[,DURATION]", value_delimiter = ',')]
    share_every: Vec<ShareEvery>,

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
mod tests;
