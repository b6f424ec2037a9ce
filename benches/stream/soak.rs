//! Mixed traffic with aborts for a long time: memory must end flat, and nothing may be left behind.

mod traffic;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::{join, try_join_all};
use tokio::time::sleep;

use crate::memory::mb;
use crate::pickers::{Kind, Picker, Setup};
use crate::sections;

const WORKERS: u64 = 32;
const ENDPOINTS: u16 = 8;

/// Lines of the table.
const PARTS: usize = 10;

/// Samples of memory in one part.
const SAMPLES: usize = 20;

/// Memory is flat if it grew by no more than this over the second half, by its straight line: by this share, or by so
/// many bytes, which an allocator may keep more or less at any moment.
const GROWTH_SHARE: f64 = 0.02;
const GROWTH_BYTES: f64 = 2e6;

/// The table of sessions and the index are bounded, and full within a minute.
const CONFIG: &str = "engineMetrics: {enabled: false}\nsessions: {maxSessions: 10000}\n";

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How long.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Another seed is another order of requests and aborts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One look at the process.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    resident: u64,
    cpu: Duration,
    done: traffic::Count,
}

/// Runs the traffic, and fails if memory grew or something was left.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let endpoints: Vec<SocketAddr> = (1..=ENDPOINTS).map(|n| ([127, 0, 0, 1], 20_000 + n).into()).collect();
    let setup = Setup { config: CONFIG, ..Setup::with_endpoints(endpoints.iter().copied()) };
    let homing = Picker::start(Kind::Homing, &setup)?;
    let length = Duration::from_secs_f64(args.minutes * 60.0);
    let (begun, count) = (Instant::now(), Cell::new(traffic::Count::default()));
    let workers =
        (0..WORKERS).map(|worker| traffic::drive(homing.address(), args.seed << 32 | worker, begun + length, &count));
    let samples = RefCell::new(Vec::new());
    let watching = async {
        for part in 0..PARTS * SAMPLES {
            // Where it should be now, so that samples do not fall behind.
            sleep((length / (PARTS * SAMPLES) as u32 * (part + 1) as u32).saturating_sub(begun.elapsed())).await;
            let (resident, _) = homing.resident()?;
            let sample = Sample { at: begun.elapsed(), resident, cpu: homing.cpu_time()?, done: count.get() };
            samples.borrow_mut().push(sample);
            if (part + 1) % SAMPLES == 0 {
                let left = length.saturating_sub(begun.elapsed()).as_secs();
                eprintln!("{:.0} MB, {} requests, {left} s left", mb(resident), sample.done.requests);
            }
            // Endpoints come and go as well.
            let away = part % (2 * endpoints.len());
            homing.replace(
                &endpoints.iter().enumerate().filter(|(n, _)| *n != away).map(|(_, it)| *it).collect::<Vec<_>>(),
            )?;
        }
        anyhow::Ok(())
    };
    let (driven, watched) = join(try_join_all(workers), watching).await;
    driven.context("a request went wrong")?;
    watched?;

    let left = left_behind(&homing).await?;
    let samples = samples.into_inner();
    let growth = growth(&samples[samples.len() / 2..]);
    let mean = samples.iter().map(|sample| sample.resident as f64).sum::<f64>() / samples.len() as f64;
    let flat = growth <= (mean * GROWTH_SHARE).max(GROWTH_BYTES);
    let text = format!(
        "{:.1} minutes, {WORKERS} in flight: chats of 1 KB to 256 KB, events and GETs of 50,000 sessions, one in three cut off \
         in one of five phases; connections are made anew, and endpoints come and go.\n\n{}\nOver the second half memory \
         grew by {:+.1} MB: {}. Left behind: {left}.\n\n{}",
        args.minutes,
        table(&samples),
        growth / 1e6,
        if flat { "flat" } else { "**not flat**" },
        sections::circumstances(),
    );
    sections::write("5-soak", "Soak", &text)?;
    Ok(if flat && left == "nothing" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is not given back after the last stream, within some seconds in which the picker may notice.
async fn left_behind(homing: &Picker) -> anyhow::Result<String> {
    let mut left = String::new();
    for _ in 0..50 {
        left.clear();
        for name in [
            "homing_open_streams",
            "homing_buffered_body_bytes",
            "homing_endpoint_in_flight",
            "homing_endpoint_waiting_tokens",
        ] {
            let value = homing.count(name)?;
            if value.abs() > 1e-6 {
                left.push_str(&format!("{name} {value} "));
            }
        }
        if left.is_empty() {
            return Ok("nothing".to_owned());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(left.trim().to_owned())
}

/// Bytes by which the straight line through the samples rises from their first to their last.
fn growth(samples: &[Sample]) -> f64 {
    let points = || samples.iter().map(|sample| (sample.at.as_secs_f64(), sample.resident as f64));
    let count = samples.len() as f64;
    let mean_at = points().map(|(at, _)| at).sum::<f64>() / count;
    let mean_bytes = points().map(|(_, bytes)| bytes).sum::<f64>() / count;
    let together: f64 = points().map(|(at, bytes)| (at - mean_at) * (bytes - mean_bytes)).sum();
    let spread: f64 = points().map(|(at, _)| (at - mean_at).powi(2)).sum();
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) if spread > 0.0 => together / spread * (last.at - first.at).as_secs_f64(),
        _ => 0.0,
    }
}

fn table(samples: &[Sample]) -> String {
    let mut table = "| until, min | requests | cut off | us of CPU each | resident, MB: least | mean | most |\n|---|---|---|---|---|---|---|\n".to_owned();
    let mut before = Sample { at: Duration::ZERO, resident: 0, cpu: Duration::ZERO, done: traffic::Count::default() };
    for part in samples.chunks(SAMPLES) {
        let Some(&last) = part.last() else { continue };
        let resident = part.iter().map(|sample| mb(sample.resident));
        let requests = last.done.requests - before.done.requests;
        table.push_str(&format!(
            "| {:.1} | {requests} | {} | {:.1} | {:.1} | {:.1} | {:.1} |\n",
            last.at.as_secs_f64() / 60.0,
            last.done.cut_off - before.done.cut_off,
            (last.cpu - before.cpu).as_secs_f64() * 1e6 / requests as f64,
            resident.clone().fold(f64::INFINITY, f64::min),
            resident.clone().sum::<f64>() / part.len() as f64,
            resident.fold(0.0, f64::max),
        ));
        before = last;
    }
    table
}
