//! Memory with many streams open at once, each with a body of its own.

use std::process::ExitCode;

use futures_util::future::try_join_all;

use crate::exchange::Exchange;
use crate::load::connection;
use crate::pickers::{Kind, Picker, Setup};
use crate::requests::{Scripted, scripted, short_response};
use crate::sections;

/// What a connection holds, as a gateway would: far less than Homing allows.
const STREAMS_PER_CONNECTION: usize = 1_000;
const ENDPOINTS: u16 = 8;
const BODY: usize = 4 << 10;
const BUDGET_MB: f64 = 400.0;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Streams open at once.
    #[arg(long, default_value_t = 10_000)]
    streams: usize,
}

impl Default for Args {
    fn default() -> Self {
        Self { streams: 10_000 }
    }
}

/// Opens the streams, holds them in each phase, and writes what Homing held.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // Bodies without an end must not be picked early.
    let config = "engineMetrics: {enabled: false}\nlimits: {bodyWait: 1h}\n";
    let endpoints = (1..=ENDPOINTS).map(|n| ([127, 0, 0, 1], 20_000 + n).into());
    let homing = Picker::start(Kind::Homing, &Setup { config, ..Setup::with_endpoints(endpoints) })?;
    let mut table = "| when | resident, MB | KB a stream |\n|---|---|---|\n".to_owned();
    let before = homing.resident()?.0;
    let mut line = |when: &str| -> anyhow::Result<()> {
        let now = homing.resident()?.0;
        let each = now.saturating_sub(before) as f64 / args.streams as f64 / 1e3;
        eprintln!("{when}: {:.0} MB", mb(now));
        table.push_str(&format!("| {when} | {:.0} | {each:.1} |\n", mb(now)));
        Ok(())
    };
    line("no stream")?;

    let asked: Vec<Scripted> = (0..args.streams).map(|session| scripted(session, Some(BODY), None)).collect();
    let opening = asked.chunks(STREAMS_PER_CONNECTION).map(async |asked| {
        let connection = connection(homing.address()).await?;
        let mut open = Vec::with_capacity(asked.len());
        for request in asked {
            let but_the_end = &request.request[..request.request.len() - 1];
            open.push(Exchange::open(&connection, but_the_end).await?);
        }
        anyhow::Ok(open)
    });
    let mut open: Vec<Exchange> = try_join_all(opening).await?.into_iter().flatten().collect();
    while homing.count("homing_buffered_body_bytes")? < (args.streams * BODY) as f64 {
        tokio::task::yield_now().await;
    }
    line("every body is kept, its end has not come")?;

    let ending = open.iter_mut().zip(&asked).map(|(exchange, request)| async {
        if let Some(end) = request.request.last() {
            exchange.send(end.clone())?;
        }
        exchange.picked().await?;
        exchange.passed(BODY).await
    });
    try_join_all(ending).await?;
    line("every request is picked, no answer has come")?;

    let answer = short_response();
    try_join_all(open.iter_mut().map(|exchange| exchange.response(&answer[..2]))).await?;
    line("every answer has begun")?;
    try_join_all(open.iter_mut().map(|exchange| exchange.response_chunk(&answer[2], true))).await?;
    drop(open);
    while homing.count("homing_open_streams")? > 0.0 {
        tokio::task::yield_now().await;
    }
    line("every stream has ended")?;

    let most = mb(homing.resident()?.1);
    let met = if most < BUDGET_MB { "met" } else { "missed" };
    let text = format!(
        "{} streams at once with chats of {BODY} bytes over {} connections, {ENDPOINTS} endpoints. The most at any moment: \
         {most:.0} MB; budget {BUDGET_MB:.0} MB: {met}.\n\n{table}\n{}",
        args.streams,
        args.streams.div_ceil(STREAMS_PER_CONNECTION),
        sections::circumstances(),
    );
    sections::write("2-memory", "Memory with many streams", &text)?;
    Ok(ExitCode::SUCCESS)
}

pub fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
