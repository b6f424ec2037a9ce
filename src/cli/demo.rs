//! `homing demo`: round robin and Homing, one after the other, on the same conversations through a real Envoy; or
//! several Homings there, which share what they know and which do not.
//!
//! What is public below is shared with the demo behind a real gateway (`tests/demo_gateway/`), so that both send the
//! same and count alike, and with the run on real engines (`tests/vllm/`).

pub mod children;
mod client;
pub mod drive;
pub mod envoy;
pub mod explained;
pub mod load;
mod page;
mod parts;
mod pickers;
pub mod progress;
pub mod report;
mod side;
mod stage;
pub mod table;
mod valkey;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::value_parser;
use tokio::signal::unix::{SignalKind, signal};

use self::load::Load;
use self::progress::Progress;
use self::report::{PolicyReport, Report};
use self::side::Side;
use self::stage::Stage;
use crate::simulation::workload::Workload;

/// Compare round robin and Homing on six simulated engines behind a real Envoy.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    /// Homings that Envoy asks in turn. Of several, all is measured twice, where they share what they know through a
    /// real Valkey and where they share nothing, beside one.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = value_parser!(u8).range(1..=8))]
    pickers: u8,
    /// Keep everything running after the table, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Envoy's binary; default: what HOMING_ENVOY names, else what `make parts` fetched.
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// The binary of Valkey's server, for several pickers; default: what HOMING_VALKEY names, else what `make parts`
    /// fetched.
    #[arg(long, value_name = "PATH")]
    valkey: Option<PathBuf>,
    /// Where report.json, Envoy's configuration and all logs go.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    output_dir: PathBuf,
}

/// What every side runs with.
struct Setting {
    envoy: PathBuf,
    /// There is one where there are several pickers.
    valkey: Option<PathBuf>,
    output_dir: PathBuf,
    workload: Workload,
}

/// What came of one side, which still runs.
struct Measured {
    report: PolicyReport,
    /// No request failed, in the warm-up neither.
    is_whole: bool,
    stage: Stage,
}

/// Runs all sides, prints the table and writes the report; a failure if a request failed.
///
/// # Errors
/// When Envoy or another part cannot be started or dies; one line says which and what to do.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Whoever ends first drops the other, and with it all child processes.
        tokio::select! {
            done = demo(args) => done,
            _ = interrupt.recv() => Ok(ExitCode::from(130)),
            _ = terminate.recv() => Ok(ExitCode::from(143)),
        }
    })
}

async fn demo(args: Args) -> anyhow::Result<ExitCode> {
    let Args { load, pickers, keep, envoy, valkey, output_dir } = args;
    let envoy = envoy::find(envoy)?;
    let valkey = if pickers > 1 { Some(valkey::find(valkey)?) } else { None };
    std::fs::create_dir_all(&output_dir).with_context(|| format!("cannot make {}", output_dir.display()))?;
    let setting = Setting { envoy, valkey, output_dir, workload: load.workload() };

    let sides = Side::all(pickers);
    let mut progress = Progress::new(load.timing(), sides.len() as u32);
    let (mut policies, mut all_whole, mut last) = (Vec::new(), true, None::<Stage>);
    for side in sides {
        if let Some(stage) = last.take() {
            stage.stop().await;
        }
        let Measured { report, is_whole, stage } = setting.measure(side, &mut progress).await?;
        policies.push(report);
        all_whole &= is_whole;
        last = Some(stage);
    }
    progress.finish();
    let mut stage = last.context("nothing was run")?;

    let report = Report { policies };
    let report_file = setting.output_dir.join("report.json");
    report.write(&report_file)?;
    let mut out = io::stdout();
    writeln!(out, "\n{}", table::render(&report))?;
    if pickers > 1 {
        writeln!(
            out,
            "Envoy asked {pickers} Homings in turn. Alone, each knew only its own requests; sharing, they told"
        )?;
        writeln!(out, "each other through a Valkey.\n")?;
    }
    explained::write(&stage.homing_admin().to_string(), &mut out).await?;
    writeln!(out, "\nReport: {}", report_file.display())?;
    if keep {
        writeln!(out, "{}", stage.curl_lines())?;
        return Err(stage.death().await);
    }
    stage.stop().await;
    Ok(if all_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Setting {
    /// Starts everything anew, so that no side inherits another's caches, and drives the workload.
    async fn measure(&self, side: Side, progress: &mut Progress) -> anyhow::Result<Measured> {
        let Self { envoy, valkey, output_dir, workload } = self;
        let name = side.name();
        progress.begin(name.clone());
        let logs = output_dir.join("logs").join(&name);
        let valkey = valkey.as_deref().filter(|_| side.shares());
        let mut stage = Stage::start(envoy, side.pickers(), valkey, &logs).await?;
        let target = stage.listener(side.listener());
        let outcomes = tokio::select! {
            outcomes = drive::run(target, workload, progress.timing(), |at| progress.at(at)) => outcomes,
            death = stage.death() => return Err(death),
        };
        let failure = outcomes.iter().find_map(|outcome| outcome.served.as_ref().err());
        if let Some(error) = failure {
            progress.note(&format!("{name}: at least one request failed: {error:#}"));
        }
        Ok(Measured {
            is_whole: failure.is_none(),
            report: PolicyReport::new(name, &stage.engine_names(), &outcomes),
            stage,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn there_are_one_to_eight_pickers_and_one_if_nothing_is_said() {
        let pickers = |arguments: &[&str]| {
            let line = Line::try_parse_from(["homing"].iter().chain(arguments));
            line.map(|line| line.args.pickers).map_err(|error| error.to_string())
        };
        assert_eq!(pickers(&[]), Ok(1));
        assert_eq!(pickers(&["--pickers", "8"]), Ok(8));
        for wrong in ["0", "9", "two"] {
            assert!(pickers(&["--pickers", wrong]).expect_err(wrong).contains("--pickers"));
        }
    }
}
