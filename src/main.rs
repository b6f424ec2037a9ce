//! The `homing` binary.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    homing::cli::run()
}
