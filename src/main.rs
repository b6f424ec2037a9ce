//! The `homing` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// A stream makes many small allocations that live as long as one message, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    homing::cli::run(std::env::args_os()).unwrap_or_else(|error| {
        eprintln!("homing: {error:#}");
        ExitCode::FAILURE
    })
}
