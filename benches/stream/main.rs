//! What one pick costs in CPU time, beside a picker that does nothing.
//!
//! Drives `homing serve` and an echo picker with the same ext_proc streams, in turn, round after round, and
//! compares the CPU time that each process spent. Without a gateway in between: Envoy's own cost is three to
//! four times a picker's and would hide the difference.
//!
//! `cargo bench --bench stream [-- --quick]` prints a table and writes `bench/stream.json` in the target folder.

mod echo;
mod load;
mod machine;
mod pickers;
mod report;
mod requests;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use pickers::{Kind, Picker};
use report::Row;

/// The product's allocator, for the echo picker too: it runs in this binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the stream benchmark.
#[derive(Debug, Parser)]
struct Args {
    /// A ninth of the time, for a first look.
    #[arg(long)]
    quick: bool,
    /// Rounds for each row; each round measures both pickers once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How long one picker is driven in one round, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    millis: u64,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    row: String,
    /// Compare the echo picker with itself: what remains is noise.
    #[arg(long)]
    noise: bool,
    /// Be the echo picker. The benchmark starts itself with this.
    #[arg(long, hide = true)]
    echo: bool,
    /// Given by `cargo bench`, and not by `cargo test --benches`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.echo {
        echo::run()?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.bench {
        println!("this measures for minutes: run it with `cargo bench --bench stream`");
        return Ok(ExitCode::SUCCESS);
    }
    let (rounds, millis) = if args.quick { (3, args.millis / 3) } else { (args.rounds, args.millis) };
    let pinned = machine::pin_self();
    let measured = if args.noise { Kind::Echo } else { Kind::Homing };
    let rows = measure(measured, &args.row, rounds, Duration::from_millis(millis))?;
    report::print(&rows, measured, pinned);
    let path = report::write(&rows, measured, pinned).context("cannot write the report")?;
    println!("\n{}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// One row for each kind of request, both pickers in turn: what disturbs one disturbs the other as well.
fn measure(kind: Kind, wanted: &str, rounds: usize, length: Duration) -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let floor = Picker::start(Kind::Echo).context("cannot start the echo picker")?;
    let picker = Picker::start(kind).with_context(|| format!("cannot start {}", kind.name()))?;
    runtime.block_on(async {
        let clients = [load::connect(floor.address()).await?, load::connect(picker.address()).await?];
        let mut rows = Vec::new();
        for (name, corpus) in requests::rows().filter(|(name, _)| name.contains(wanted)) {
            for client in &clients {
                client.warm_up(&corpus).await.with_context(|| format!("{name}: warming up"))?;
            }
            let mut row = Row::new(name);
            for _ in 0..rounds {
                let mut cost = [0.0; 2];
                for ((cost, client), process) in cost.iter_mut().zip(&clients).zip([&floor, &picker]) {
                    let before = process.cpu_time()?;
                    let picks = client.drive(&corpus, length).await.with_context(|| name.to_owned())?;
                    *cost = (process.cpu_time()? - before).as_secs_f64() * 1e6 / picks as f64;
                }
                row.push(cost);
            }
            eprintln!("{row}");
            rows.push(row);
        }
        Ok(rows)
    })
}
