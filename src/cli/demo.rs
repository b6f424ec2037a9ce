//! `homing demo`: round robin and Homing, one after the other, on the same conversations through a real Envoy.

mod children;
mod client;
mod drive;
mod envoy;
mod progress;
mod report;
mod stage;
mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use self::drive::Timing;
use self::envoy::Listener;
use self::progress::Progress;
use self::report::{PolicyReport, Report};
use self::stage::Stage;
use super::explain;
use crate::simulation::workload::{Shape, Workload};

/// Long enough that the caches have filled and the queues of the cold start are gone.
const WARM_UP: Duration = Duration::from_secs(12);

/// Compare round robin and Homing on six simulated engines behind a real Envoy.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seed of the workload; the same seed asks the same questions at the same times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep everything running after the table, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Envoy's binary; default: what HOMING_ENVOY names, else what `make parts` fetched.
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// Where report.json, Envoy's configuration and all logs go.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    output_dir: PathBuf,
    /// Time that is measured for each policy, after the warm-up.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    measure: Duration,
    /// Conversations that start in a second; default: 60 % of what round robin can carry.
    #[arg(long, value_name = "NUMBER", default_value_t = Shape::default().starts_per_second, value_parser = rate)]
    rate: f64,
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
    let Args { seed, keep, envoy, output_dir, measure, rate } = args;
    let envoy = envoy::find(envoy)?;
    std::fs::create_dir_all(&output_dir).with_context(|| format!("cannot make {}", output_dir.display()))?;
    let shape = Shape { starts_per_second: rate, ..Shape::default() };
    let timing = Timing { warm_up: WARM_UP, measure };
    let workload = Workload::new(shape, seed, timing.length());

    let mut progress = Progress::new(timing);
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
    explain_one_pick(&stage, &mut out).await?;
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

/// The pick with the longest prompt among the last ones, where there is most to explain.
async fn explain_one_pick(stage: &Stage, out: &mut impl Write) -> anyhow::Result<()> {
    let mut decisions = explain::fetch(&stage.homing_admin().to_string(), 50).await?;
    decisions.sort_by(|one, other| other.prompt_tokens.total_cmp(&one.prompt_tokens));
    decisions.truncate(1);
    writeln!(out, "One pick explained, in prompt tokens; the lowest cost wins:")?;
    explain::write(&decisions, out)?;
    Ok(())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if f64::is_finite(rate) && rate > 0.0 => Ok(rate),
        _ => Err("must be a number above 0".to_owned()),
    }
}
