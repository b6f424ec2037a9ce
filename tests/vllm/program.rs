//! `make test-vllm`: round robin and Homing on two real vLLM replicas behind a real Envoy, judged by the engines' own
//! counters.
//!
//! [`run`] has the order of things; [`claims`] has what must hold.

mod arguments;
mod arm;
mod chat;
mod claims;
mod corpus;
mod counters;
mod decisions;
mod drive;
mod http;
mod load;
mod model;
mod parts;
mod plan;
mod prediction;
mod progress;
mod replica;
mod report;
mod run;
mod stage;
mod tables;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use self::arguments::Arguments;
use self::replica::Replicas;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    match runtime.block_on(until_done(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\ntest-vllm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs everything, and ends the replicas however that ends.
async fn until_done(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hang_up)] = &mut signals else { anyhow::bail!("signals cannot be heard") };
    let mut replicas = Replicas::default();
    let limit = arguments.limit;
    let ended = tokio::select! {
        ran = timeout(limit, run::run(arguments, &mut replicas)) => match ran {
            Ok(ran) => ran,
            Err(_) => Err(anyhow::anyhow!("not done within {}: see --limit", humantime::format_duration(limit))),
        },
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
        _ = hang_up.recv() => Ok(ExitCode::from(129)),
    };
    replicas.stop().await;
    ended
}
