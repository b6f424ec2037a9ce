//! `homing trace`: a trace for `homing replay`, made by chance.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::PossibleValue;

use crate::replay::workload::Workload;

/// Prints a trace of made-up requests for `homing replay`, in the format of Mooncake.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What kind of traffic.
    #[arg(value_enum)]
    workload: Workload,

    /// Of how much time.
    #[arg(long, default_value = "30m", value_name = "DURATION", value_parser = humantime::parse_duration)]
    length: Duration,

    /// Where all chance comes from: the same seed gives the same trace.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
}

impl clap::ValueEnum for Workload {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Agents => "Coding agents: long sessions, nine tenths of each prompt sent before",
            Self::Tools => "Few calls a session, behind one of many long prompts of which some are hot",
            Self::Chat => "People who chat: short sessions, long pauses, a short system prompt",
            Self::Batch => "Short prompts that nobody sends twice",
        }))
    }
}

/// Prints a trace.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { workload, length, seed } = args;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = workload.write(length.as_secs_f64(), seed, &mut out).and_then(|()| out.flush());
    match written {
        // Whoever read it has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => written.map(|()| ExitCode::SUCCESS).context("standard output cannot be written"),
    }
}
