//! CPU time of a pick by kind of request: both pickers in turn, round after round.
//!
//! What disturbs one disturbs the other as well, so the ratio of a round says more than its times. There is no gateway in
//! between: Envoy's own cost is three to four times a picker's and would hide the difference.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::load::Client;
use crate::pickers::{Kind, Picker, Setup};
use crate::report::{self, Row};
use crate::requests;

/// Requests in flight where a row says nothing else.
pub const IN_FLIGHT: usize = 32;

/// Homing scores them in each pick. Nothing listens there: they are only ever picked.
const ENDPOINTS: u16 = 8;

/// Chunks of the response of the row that has one.
const CHUNKS: usize = 50;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A ninth of the time, for a first look.
    #[arg(long)]
    quick: bool,
    /// Rounds for each row; each round measures both pickers once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How long one picker is driven in one round, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    millis: u64,
    /// Only rows whose name contains this; they are printed and not written.
    #[arg(long, default_value = "")]
    row: String,
    /// Compare the echo picker with itself: what remains is noise. Printed and not written.
    #[arg(long)]
    noise: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self { quick: false, rounds: 9, millis: 1_000, row: String::new(), noise: false }
    }
}

/// A kind of request, and what it may cost.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub name: &'static str,
    bytes: Option<usize>,
    chunks: Option<usize>,
    pub in_flight: usize,
    /// Times the floor's cost.
    pub budget: f64,
}

const WORK: [Work; 6] = [
    Work::new("headers", None, 1.8),
    Work::new("1KB", Some(1 << 10), 1.6),
    Work::new("32KB", Some(32 << 10), 1.8),
    Work::new("256KB", Some(256 << 10), 1.5),
    Work { in_flight: 4, ..Work::new("500KB", Some(500 << 10), 1.5) },
    Work { chunks: Some(CHUNKS), ..Work::new("1KB+50chunks", Some(1 << 10), 1.5) },
];

impl Work {
    const fn new(name: &'static str, bytes: Option<usize>, budget: f64) -> Self {
        Self { name, bytes, chunks: None, in_flight: IN_FLIGHT, budget }
    }
}

/// Measures the rows and writes them.
pub async fn run(args: &Args, pinned: bool) -> anyhow::Result<ExitCode> {
    let kind = if args.noise { Kind::Echo } else { Kind::Homing };
    let (rounds, millis) = if args.quick { (3, args.millis / 3) } else { (args.rounds, args.millis) };
    let rows = measure(kind, &args.row, rounds, Duration::from_millis(millis)).await?;
    if args.row.is_empty() && !args.noise {
        report::write(&rows, pinned, args.quick).context("cannot write the report")?;
    } else {
        println!("\n{}", report::table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(kind: Kind, wanted: &str, rounds: usize, length: Duration) -> anyhow::Result<Vec<Row>> {
    let setup = Setup::with_endpoints((1..=ENDPOINTS).map(|n| ([127, 0, 0, 1], 20_000 + n).into()));
    let floor = Picker::start(Kind::Echo, &setup).context("cannot start the echo picker")?;
    let picker = Picker::start(kind, &setup).with_context(|| format!("cannot start {}", kind.name()))?;
    let clients = [Client::connect(floor.address()).await?, Client::connect(picker.address()).await?];
    let chosen: Vec<Work> = WORK.into_iter().filter(|work| work.name.contains(wanted)).collect();
    let begun = Instant::now();
    let mut rows = Vec::new();
    for (done, work) in chosen.iter().enumerate() {
        let corpus = requests::corpus(work.bytes, work.chunks);
        for client in &clients {
            client.warm_up(&corpus).await.with_context(|| format!("{}: warming up", work.name))?;
        }
        let mut row = Row::new(*work);
        for round in 0..rounds {
            let mut costs = [0.0; 2];
            for (side, (client, process)) in clients.iter().zip([&floor, &picker]).enumerate() {
                let before = process.cpu_time()?;
                let driven = client.drive(&corpus, work.in_flight, length).await.context(work.name)?;
                let spent = process.cpu_time()? - before;
                costs[side] = spent.as_secs_f64() * 1e6 / driven.latencies.len() as f64;
                row.took(side, driven.latencies);
            }
            row.push(costs);
            let parts = (done * rounds + round + 1) as u32;
            let left = begun.elapsed() / parts * ((chosen.len() * rounds) as u32 - parts);
            if round + 1 == rounds {
                eprintln!("{row}   about {} s left", left.as_secs());
            }
        }
        rows.push(row);
    }
    Ok(rows)
}
