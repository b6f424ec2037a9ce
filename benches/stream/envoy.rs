//! Through a real Envoy: what Homing adds to the latency of a request, and takes from the throughput, beside the echo picker.
//!
//! One Envoy with two listeners, one for each picker; in turn, round after round. Envoy and the pickers share the last
//! processor, clients and engine the first, so that what a picker costs is what throughput loses.

mod bootstrap;
mod http;

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::pickers::{Kind, Picker, Setup};
use crate::statistics::{median, percentile};
use crate::{machine, page, requests, sections};

const ENDPOINTS: u8 = 8;
const BODY: usize = 1 << 10;

/// Different requests, as many sessions.
const SESSIONS: usize = 16;

/// Requests in flight: the first is asked for its latency, the second for its throughput.
const IN_FLIGHT: [usize; 2] = [1, 16];

const ADDED_US: f64 = 100.0;
const SHARE: f64 = 0.9;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Rounds; each measures both pickers at both numbers in flight once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How long each is driven in one round, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    millis: u64,
}

impl Default for Args {
    fn default() -> Self {
        Self { rounds: 9, millis: 1_500 }
    }
}

/// One picker at one number in flight, round by round.
#[derive(Clone, Debug, Default)]
struct Measured {
    /// Medians, in microseconds.
    p50: Vec<f64>,
    p99: Vec<f64>,
    per_second: Vec<f64>,
    /// CPU time of the picker for each request, in microseconds.
    cpu: Vec<f64>,
}

/// A running Envoy; killed when dropped.
struct Envoy {
    child: Child,
    _files: TempDir,
    /// Where each picker's requests come in.
    listeners: [SocketAddr; 2],
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures both pickers behind Envoy and writes the comparison.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Ok(program) = env::var("HOMING_ENVOY") else {
        eprintln!("no Envoy in HOMING_ENVOY, so nothing is measured through it: `make bench` fetches one");
        return Ok(ExitCode::SUCCESS);
    };
    let port = http::engine().await?;
    let setup = Setup::with_endpoints((1..=ENDPOINTS).map(|n| ([127, 0, 0, n], port).into()));
    let pickers = [Picker::start(Kind::Echo, &setup)?, Picker::start(Kind::Homing, &setup)?];
    let envoy = start(&program, [pickers[0].address(), pickers[1].address()]).await?;
    let bodies: Vec<Vec<u8>> = (0..SESSIONS).map(|session| requests::chat(session, BODY)).collect();

    let mut measured = <[[Measured; 2]; 2]>::default();
    let (begun, length) = (Instant::now(), Duration::from_millis(args.millis));
    for listener in envoy.listeners {
        http::drive(listener, &bodies, IN_FLIGHT[1], length).await.context("warming up")?;
    }
    for round in 0..args.rounds {
        for (in_flight, measured) in IN_FLIGHT.iter().zip(&mut measured) {
            for ((listener, picker), measured) in envoy.listeners.iter().zip(&pickers).zip(measured) {
                let (spent, began) = (picker.cpu_time()?, Instant::now());
                let mut took = http::drive(*listener, &bodies, *in_flight, length).await?;
                let spent = picker.cpu_time()? - spent;
                measured.per_second.push(took.len() as f64 / began.elapsed().as_secs_f64());
                measured.cpu.push(spent.as_secs_f64() * 1e6 / took.len() as f64);
                measured.p50.push(f64::from(percentile(&mut took, 0.5)));
                measured.p99.push(f64::from(percentile(&mut took, 0.99)));
            }
        }
        let left = begun.elapsed() / (round + 1) as u32 * (args.rounds - round - 1) as u32;
        eprintln!("{} of {} rounds through Envoy, about {} s left", round + 1, args.rounds, left.as_secs());
    }
    let text = format!("{}\n{}", text(&measured), sections::circumstances());
    sections::write("4-envoy", "Through Envoy", &text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(measured: &[[Measured; 2]; 2]) -> String {
    let [alone, many] = measured;
    // Of the same round each: what disturbs one disturbs the other as well.
    let added = median(alone[1].p50.iter().zip(&alone[0].p50).map(|(homing, echo)| homing - echo));
    let share = median(many[1].per_second.iter().zip(&many[0].per_second).map(|(homing, echo)| homing / echo));
    let met = |met: bool| if met { "met" } else { "missed" };
    let mut text = format!(
        "Chats of {BODY} bytes, {ENDPOINTS} endpoints, answers of {} bytes, both bodies in full duplex, one Envoy with one \
         worker; Envoy and pickers on one processor, clients and engine on another. Medians over {} rounds.\n\n\
         - Added to the median latency with one request in flight: {added:.0} us over the echo picker; budget \
         {ADDED_US:.0}: {}.\n- Requests a second with {} in flight: {:.1} % of the echo picker's; budget {:.0} %: {}.\n\n\
         | in flight | picker | p50, us | p99, us | requests/s | picker, CPU us a request |\n|---|---|---|---|---|---|\n",
        http::ANSWER.len(),
        alone[0].p50.len(),
        met(added <= ADDED_US),
        IN_FLIGHT[1],
        share * 100.0,
        SHARE * 100.0,
        met(share >= SHARE),
    );
    for (in_flight, both) in IN_FLIGHT.iter().zip(measured) {
        for (name, one) in ["echo", "Homing"].iter().zip(both) {
            let [p50, p99, per_second, cpu] =
                [&one.p50, &one.p99, &one.per_second, &one.cpu].map(|values| median(values.iter().copied()));
            text.push_str(&format!("| {in_flight} | {name} | {p50:.0} | {p99:.0} | {per_second:.0} | {cpu:.1} |\n"));
        }
    }
    text
}

/// Starts it and waits until both listeners are there.
async fn start(program: &str, pickers: [SocketAddr; 2]) -> anyhow::Result<Envoy> {
    let files = tempfile::tempdir()?;
    let [config, admin] = ["envoy.json", "admin"].map(|name| files.path().join(name));
    fs::write(&config, bootstrap::bootstrap(pickers).to_string())?;
    let mut command = machine::pinned(program);
    command.arg("--config-path").arg(&config).arg("--admin-address-path").arg(&admin);
    command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]);
    let child = command.stdin(Stdio::null()).spawn().context("cannot start Envoy")?;
    let mut envoy = Envoy { child, _files: files, listeners: pickers };
    loop {
        ensure!(envoy.child.try_wait()?.is_none(), "Envoy ended before it listened");
        let admin = fs::read_to_string(&admin).ok().and_then(|address| address.trim().parse().ok());
        if let Some(page) = admin.and_then(|admin| page::get(admin, "/listeners").ok())
            && let [Some(echo), Some(homing)] = bootstrap::NAMES.map(|name| bootstrap::listener(&page, name))
        {
            envoy.listeners = [echo, homing];
            return Ok(envoy);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
