//! One file a command.

pub mod check;
pub mod engine;
pub mod logging;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "homing", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Engine(engine::Args),
}

/// Runs the command that the arguments name.
///
/// # Errors
/// Whatever stops the command, for the person who ran it.
pub fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Check(args) => check::run(args),
        Command::Engine(args) => engine::run(args),
    }
}
