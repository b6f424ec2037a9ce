//! What it costs to share state with other replicas, through a real Valkey.

mod hear;
mod idle;
mod lag;
mod peer;
mod tell;
mod valkey;

use std::process::ExitCode;
use std::time::Duration;

use crate::sections;

/// What all replicas here have in common.
pub const GROUP: &str = "bench";

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// A part of the time, for a first look; printed and not written.
    #[arg(long)]
    quick: bool,
    /// Only this part; printed and not written.
    #[arg(long)]
    only: Option<Part>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// What a pick costs more.
    Tell,
    /// What it costs to take in the news of others.
    Hear,
    /// What it costs without requests.
    Idle,
}

/// Measures the parts and writes them.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shorter = |length: Duration| if args.quick { length / 4 } else { length };
    let wants = |part| args.only.is_none_or(|only| only == part);
    let mut text = String::new();
    if wants(Part::Tell) {
        text.push_str(&tell::measure(if args.quick { 3 } else { 9 }, Duration::from_secs(1)).await?);
    }
    if wants(Part::Hear) {
        text.push_str(&hear::measure(shorter(Duration::from_secs(10)), shorter(Duration::from_secs(30))).await?);
    }
    if wants(Part::Idle) {
        text.push_str(&idle::measure(shorter(Duration::from_secs(30))).await?);
    }
    text.push_str(&sections::circumstances());
    if args.quick || args.only.is_some() {
        println!("\n{text}");
    } else {
        sections::write("6-sharing", "Sharing with other replicas", &text)?;
    }
    Ok(ExitCode::SUCCESS)
}
