//! `homing demo`: round robin and Homing, one after the other, on the same conversations through a real Envoy.
//!
//! What is public below is shared with the demo behind a real gateway (`tests/demo_gateway/`), so that both send the
//! same and count alike, and with the run on real engines (`tests/vllm/`).

pub mod children;
mod client;
pub mod drive;
pub mod envoy;
pub mod explained;
pub mod load;
pub mod progress;
pub mod report;
mod stage;
pub mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use self::envoy::Listener;
use self::load::Load;
use self::progress::Progress;
use self::report::{PolicyReport, Report};
use self::stage::Stage;
use crate::simulation::workload::Workload;

/// Compare round robin and Homing on six simulated engines behind a real Envoy.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    load: Load,
    /// Keep everything running after the table, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Envoy's binary; default: what HOMING_ENVOY names, else what `make parts` fetched.
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// Where report.json, Envoy's configuration and all logs go.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    output_dir: PathBuf,
}

/// Runs both policies, prints the table and writes the report.
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
    let Args { load, keep, envoy, output_dir } = args;
    let envoy = envoy::find(envoy)?;
    std::fs::create_dir_all(&output_dir).with_context(|| format!("cannot make {}", output_dir.display()))?;
    let workload = load.workload();

    let mut progress = Progress::new(load.timing());
    let (round_robin, stage) =
        measure_policy(&envoy, &output_dir, Listener::RoundRobin, &workload, &mut progress).await?;
    stage.stop().await;
    let (homing, mut stage) = measure_policy(&envoy, &output_dir, Listener::Homing, &workload, &mut progress).await?;
    progress.finish();

    let report = Report { policies: [round_robin, homing] };
    let report_file = output_dir.join("report.json");
    report.write(&report_file)?;
    let mut out = io::stdout();
    writeln!(out, "\n{}", table::render(&report))?;
    explained::write(&stage.homing_admin().to_string(), &mut out).await?;
    writeln!(out, "\nReport: {}", report_file.display())?;
    if keep {
        writeln!(out, "{}", stage.curl_lines())?;
        return Err(stage.death().await);
    }
    stage.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Starts everything anew, so that no policy inherits the other's caches, and drives the workload.
async fn measure_policy(
    envoy: &Path,
    output_dir: &Path,
    listener: Listener,
    workload: &Workload,
    progress: &mut Progress,
) -> anyhow::Result<(PolicyReport, Stage)> {
    progress.begin(listener.name());
    let logs = output_dir.join("logs").join(listener.name());
    let mut stage = Stage::start(envoy, &logs).await?;
    let target = stage.listener(listener);
    let outcomes = tokio::select! {
        outcomes = drive::run(target, workload, progress.timing(), |at| progress.at(at)) => outcomes,
        death = stage.death() => return Err(death),
    };
    if let Some(error) = outcomes.iter().find_map(|outcome| outcome.served.as_ref().err()) {
        progress.note(&format!("{}: at least one request failed: {error:#}", listener.name()));
    }
    Ok((PolicyReport::new(listener.name(), &stage.engine_names(), &outcomes), stage))
}
