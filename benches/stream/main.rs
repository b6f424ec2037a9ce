//! What Homing costs as a process, beside a picker that does nothing.
//!
//! Homing and an echo picker run as processes of their own; what they cost is read from `/proc`. One subcommand measures
//! one thing, and writes its section of `bench/report.md` in the target folder:
//! `cargo bench --bench stream -- [rows | memory | idle | envoy | sharing | all]`. `soak` is for half an hour.

mod codec;
mod echo;
mod envoy;
mod exchange;
mod idle;
mod load;
mod machine;
mod memory;
mod page;
mod pickers;
mod process;
mod report;
#[path = "../shared/requests.rs"]
mod requests;
mod rows;
#[path = "../shared/sections.rs"]
mod sections;
mod sharing;
mod soak;
#[path = "../shared/statistics.rs"]
mod statistics;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The product's allocator, for the echo picker too: it runs in this binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Homing as a process.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench --bench stream --")]
struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Be the echo picker that answers this endpoint. The benchmark starts itself with it.
    #[arg(long, hide = true)]
    echo: Option<String>,
    /// Given by `cargo bench`, and not by `cargo test --benches`.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// CPU time of a pick, by kind of request, beside the echo picker's.
    Rows(rows::Args),
    /// Memory with ten thousand streams open.
    Memory(memory::Args),
    /// CPU time without requests, while engines are asked for their metrics every second.
    Idle(idle::Args),
    /// Latency and throughput through a real Envoy, beside the echo picker's.
    Envoy(envoy::Args),
    /// What sharing with other replicas costs, through a real Valkey.
    Sharing(sharing::Args),
    /// All of the above, one after the other.
    All,
    /// Mixed traffic with aborts, and whether memory stays flat.
    Soak(soak::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if let Some(endpoint) = args.echo {
        echo::run(&endpoint)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.bench {
        println!("this measures for minutes: run it with `cargo bench --bench stream`");
        return Ok(ExitCode::SUCCESS);
    }
    let pinned = machine::pin_self();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.what.unwrap_or_else(|| What::Rows(rows::Args::default())) {
            What::Rows(args) => rows::run(&args, pinned).await,
            What::Memory(args) => memory::run(&args).await,
            What::Idle(args) => idle::run(&args).await,
            What::Envoy(args) => envoy::run(&args).await,
            What::Sharing(args) => sharing::run(&args).await,
            What::Soak(args) => soak::run(&args).await,
            What::All => {
                let mut worst = rows::run(&rows::Args::default(), pinned).await?;
                for code in [
                    memory::run(&memory::Args::default()).await?,
                    idle::run(&idle::Args::default()).await?,
                    envoy::run(&envoy::Args::default()).await?,
                    sharing::run(&sharing::Args::default()).await?,
                ] {
                    worst = if code == ExitCode::SUCCESS { worst } else { code };
                }
                Ok(worst)
            }
        }
    })
}
