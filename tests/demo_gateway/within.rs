//! The program within the namespaces: it plays the cluster, and drives the load.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use anyhow::Context;
use homing::cli::demo::drive::{self, Outcome};
use homing::cli::demo::load::Load;
use homing::cli::demo::report::{PolicyReport, Report};
use homing::cli::demo::{explained, table};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::applied;
use crate::arguments::Arguments;
use crate::attached;
use crate::forward::{self, Target};
use crate::node::site::ADMIN;
use crate::short_names::{legend, names, shorten};
use crate::site::{LOGS, Site};
use crate::sockets::{GATEWAY, HOMING};
use crate::steps::Steps;

/// The line that says that both sockets can be used.
pub const READY: &str = "\u{4}";

/// Runs the demo until the input ends.
///
/// # Errors
/// What has gone wrong.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let logs = arguments.output_dir.join("logs");
    forget_logs(&logs);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let local = LocalSet::new();
    let ended = local.block_on(&runtime, async {
        let showing = tokio::task::spawn_local(show(arguments));
        tokio::select! {
            shown = showing => shown.map_err(|_panicked| None).and_then(|shown| shown.map_err(Some)),
            () = told_to_end() => Ok(()),
        }
    });
    let kept = keep_logs(&logs);
    // All that still runs ends with this process.
    runtime.shutdown_background();
    if let Err(error) = &ended {
        error.iter().for_each(|error| eprintln!("\ndemo-gateway: {error:#}"));
        if kept.is_ok() {
            eprintln!("What the pods have said is in {}.", logs.display());
        }
        return Ok(ExitCode::FAILURE);
    }
    kept.map(|()| ExitCode::SUCCESS)
}

async fn show(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { load, output_dir, sockets, .. } = arguments;
    let sockets = sockets.context("no folder for sockets")?;
    let mut steps = Steps::new(load.timing());
    let site = Site::start(&mut steps).await;

    let round_robin = measure("round-robin", &site, &arguments.load, &mut steps).await;
    let replica = steps.take("Homing, by its chart", attached::attach(&site)).await;
    // Only now, so that Homing has not seen them either.
    steps.take("the engines anew, with empty caches", site.restart_engines()).await;
    steps.take("the gateway follows Homing", attached::takes_picks(&site)).await;
    let homing = measure("homing", &site, &arguments.load, &mut steps).await;
    steps.progress.finish();

    let report = Report { policies: vec![round_robin, homing] };
    let file = output_dir.join("report.json");
    report.write(&file)?;
    let mut out = io::stdout();
    writeln!(out, "\n{}", table::render(&report))?;
    writeln!(out, "With Homing, these were\n{}", legend(&site.engines().await))?;
    let admin = Target::Pod(site.cluster(), replica, ADMIN);
    explained::write(&forward::from_port(admin.clone()).await?.to_string(), &mut out).await?;
    writeln!(out, "\n{}", applied::write(&site, &output_dir.join("objects")).await?)?;
    keep_logs(&output_dir.join("logs"))?;
    writeln!(out, "Report: {}\nLogs of all pods: {}", file.display(), output_dir.join("logs").display())?;

    forward::from_socket(&sockets.join(GATEWAY), Target::Address(site.address()))?;
    forward::from_socket(&sockets.join(HOMING), admin)?;
    writeln!(out, "{READY}")?;
    std::future::pending().await
}

/// Drives the workload through the gateway.
async fn measure(policy: &'static str, site: &Site, load: &Load, steps: &mut Steps) -> PolicyReport {
    steps.begin(policy);
    let engines = site.engines().await;
    let progress = &mut steps.progress;
    let mut outcomes = drive::run(site.address(), &load.workload(), load.timing(), |at| progress.at(at)).await;
    if let Some(error) = outcomes.iter().find_map(|Outcome { served, .. }| served.as_ref().err()) {
        progress.note(&format!("{policy}: at least one request failed: {error:#}"));
    }
    shorten(&mut outcomes, &engines);
    PolicyReport::new(policy, &names(&engines), &outcomes)
}

/// Waits until nobody outside holds the other end of our input.
async fn told_to_end() {
    let (held, ended) = oneshot::channel::<()>();
    thread::spawn(move || {
        let _nothing_comes = io::copy(&mut io::stdin(), &mut io::sink());
        drop(held);
    });
    let _ended = ended.await;
}

/// Removes those of an earlier run, whose pods had other names.
fn forget_logs(of: &Path) {
    let logs = fs::read_dir(of).into_iter().flatten().flatten().map(|log| log.path());
    for log in logs.filter(|log| log.extension().is_some_and(|extension| extension == "log")) {
        let _old_ones_do_no_harm = fs::remove_file(log);
    }
}

/// Copies what pods have said so far to where it stays.
fn keep_logs(to: &Path) -> anyhow::Result<()> {
    let Some(from) = LOGS.get() else { return Ok(()) };
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for log in fs::read_dir(from)?.flatten() {
        let name = log.file_name();
        fs::write(to.join(format!("{}.log", name.display())), fs::read(log.path())?)?;
    }
    Ok(())
}
