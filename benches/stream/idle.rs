//! CPU time without requests, while every endpoint is asked for its metrics every second.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::pickers::{Kind, Picker, Setup};
use crate::sections;

/// What a real vLLM 0.32 says.
const PAGE: &str = include_str!("../../tests/data/vllm-0.32-metrics.txt");

/// Endpoints, and the share of a core that they may cost.
const RUNS: [(u32, f64); 2] = [(100, 0.03), (1_000, 0.3)];

/// Connections are made, engines recognised.
const SETTLE: Duration = Duration::from_secs(8);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds for which each number of endpoints is measured.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

impl Default for Args {
    fn default() -> Self {
        Self { seconds: 30 }
    }
}

/// Measures each number of endpoints and writes what they cost.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let port = engines().await?;
    let mut table = "| endpoints | pages read a second | share of a core | budget | met | us a page | resident, MB |\n\
                     |---|---|---|---|---|---|---|\n"
        .to_owned();
    for (done, (endpoints, budget)) in RUNS.into_iter().enumerate() {
        let left = (SETTLE.as_secs() + args.seconds) * (RUNS.len() - done) as u64;
        eprintln!("{endpoints} endpoints, about {left} s left");
        // Each has an address of its own, as pods have.
        let addresses = (0..endpoints).map(|n| (Ipv4Addr::from(0x7f01_0001 + n), port).into());
        let config = "engineMetrics: {enabled: true, interval: 1s}\n";
        let setup = Setup { config, ..Setup::with_endpoints(addresses) };
        let homing = Picker::start(Kind::Homing, &setup)?;
        sleep(SETTLE).await;
        let good = "homing_scrapes_total{outcome=\"good\"}";
        let (began, spent, read) = (Instant::now(), homing.cpu_time()?, homing.count(good)?);
        sleep(Duration::from_secs(args.seconds)).await;
        let spent = (homing.cpu_time()? - spent).as_secs_f64();
        let (took, read) = (began.elapsed().as_secs_f64(), homing.count(good)? - read);
        let share = spent / took;
        let met = if share <= budget { "yes" } else { "no" };
        table.push_str(&format!(
            "| {endpoints} | {:.0} | {share:.4} | {budget} | {met} | {:.0} | {:.0} |\n",
            read / took,
            spent * 1e6 / read,
            crate::memory::mb(homing.resident()?.0),
        ));
    }
    let text = format!(
        "No requests; each endpoint is asked every second for a page of vLLM 0.32 of {} bytes. Over {} s.\n\n{table}\n{}",
        PAGE.len(),
        args.seconds,
        sections::circumstances(),
    );
    sections::write("3-idle", "Without requests", &text)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives every address of this machine the same page, on one port.
async fn engines() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await?;
    let port = listener.local_addr()?.port();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{PAGE}", PAGE.len());
    let answer: &'static [u8] = answer.into_bytes().leak();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(port)
}
