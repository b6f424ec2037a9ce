//! What each hot step costs by itself, one file a step.
//!
//! `cargo bench --bench steps [-- NAME]` times all of them, or those whose name contains this, and writes their section of
//! `bench/report.md` in the target folder. Nothing here goes over a wire: `stream` does that.

mod cpu_time;
mod decision;
mod hashing;
mod headers;
mod metrics_page;
mod pickers;
mod prefix;
mod report;
#[allow(dead_code, reason = "`stream` needs the rest of it")]
#[path = "../shared/requests.rs"]
mod requests;
mod routing;
#[path = "../shared/sections.rs"]
mod sections;
mod sessions;
mod shapes;
#[allow(dead_code, reason = "`stream` needs the rest of it")]
#[path = "../shared/statistics.rs"]
mod statistics;

use std::time::Duration;

use criterion::Criterion;

/// The product's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a step is given to time itself with.
type Steps = Criterion<cpu_time::CpuTime>;

fn main() -> anyhow::Result<()> {
    // Medians hold still after a second or two; there are forty steps.
    let timing = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = timing.with_measurement(cpu_time::CpuTime).configure_from_args();
    for step in [
        headers::bench,
        shapes::bench,
        hashing::bench,
        sessions::bench,
        routing::bench,
        decision::bench,
        prefix::bench,
        metrics_page::bench,
    ] {
        step(&mut criterion);
    }
    criterion.final_summary();
    // Without it, `cargo test --benches` runs each once and measures nothing.
    let measures = std::env::args().any(|argument| argument == "--bench");
    if measures && !std::env::args().any(|argument| argument == "--list") {
        report::write(&sessions::beside_a_writer())?;
    }
    Ok(())
}
