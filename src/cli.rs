//! The command line: one file a command.
//!
//! Flags without a command mean `serve`, so that a manifest written for another picker works with the
//! image swapped.

pub mod check;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod explain;
mod foreign_flags;
pub mod logging;
pub mod replay;
pub mod serve;
mod shared_state;
mod source;
pub mod trace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An endpoint picker for LLM inference gateways.
#[derive(Debug, Parser)]
#[command(name = "homing", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pick endpoints for a gateway (the default where flags come first).
    Serve(serve::Args),
    /// Print or follow the decisions of a running picker.
    Explain(explain::Args),
    /// Check a configuration or endpoints file.
    Check(check::Args),
    /// Look at what a picker needs here, and say what to do about what is not right.
    Doctor(doctor::Args),
    /// Compare round robin and Homing on simulated engines behind a real Envoy.
    Demo(demo::Args),
    /// Replay a trace of requests against simulated engines, and compare policies.
    Replay(replay::Args),
    /// Print a trace of made-up requests, or of prompts without the prompts, for `replay`.
    Trace(trace::Args),
    /// Run a simulated engine, to try a gateway without a GPU.
    Engine(engine::Args),
}

/// Runs the command that `arguments` name; the first is the program's own name.
///
/// # Errors
/// Whatever stops the command, for the person who ran it. A usage error prints itself and ends the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let (arguments, foreign) = foreign_flags::split(with_command(arguments));
    match Cli::parse_from(arguments).command {
        Command::Serve(args) => serve::run(args, &foreign),
        Command::Explain(args) => explain::run(args),
        Command::Check(args) => check::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Engine(args) => engine::run(args),
    }
}

/// Puts `serve` in front of flags that come without a command.
fn with_command(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let about_itself = ["-h", "--help", "-V", "--version"];
    if let Some(first) = arguments.get(1).and_then(|first| first.to_str())
        && first.starts_with('-')
        && !about_itself.contains(&first)
    {
        arguments.insert(1, "serve".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_without_a_command_mean_serve() {
        assert_eq!(with_command(words("homing --grpc-port 1")), words("homing serve --grpc-port 1"));
        for line in ["homing check x", "homing --help", "homing -V", "homing"] {
            assert_eq!(with_command(words(line)), words(line));
        }
    }

    #[test]
    fn a_flag_takes_its_value_after_a_blank_or_an_equals_sign() {
        for line in ["homing serve --endpoints-file f --grpc-port 5", "homing serve --endpoints-file=f --grpc-port=5"] {
            assert!(Cli::try_parse_from(words(line)).is_ok(), "{line}");
        }
    }

    #[test]
    fn an_unknown_flag_is_answered_with_the_nearest() {
        let error = Cli::try_parse_from(words("homing serve --endpoints-fil f")).expect_err("unknown");
        assert!(error.to_string().contains("--endpoints-file"), "{error}");
    }
}
