//! `homing check`: whether a file would be accepted, and what it changes.

use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use crate::config::{self, ConfigError, PickerConfig};
use crate::model::Endpoint;
use crate::sources::endpoints_file;

/// Checks a configuration document, or an endpoints file, without serving anything.
///
/// Prints `ok` and the settings that differ from the defaults, or every problem as
/// `FILE:line:column: field: message`, and then exits with 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to check; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Check an endpoints file instead of a configuration document [default: false].
    #[arg(long)]
    endpoints: bool,
}

/// Checks one file.
///
/// # Errors
/// The file cannot be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { file, endpoints } = args;
    let text = read(&file)?;
    Ok(report(&file, if endpoints { check_endpoints(&text) } else { check_config(&text) }))
}

/// The lines to print for a file that is right.
type Lines = Vec<String>;

fn check_config(text: &str) -> Result<Lines, ConfigError> {
    let parsed = config::parse(text)?;
    let warnings = parsed.warnings.into_iter().map(|warning| format!("warning: {warning}"));
    Ok(warnings.chain(differences(&parsed.config)).collect())
}

fn check_endpoints(text: &str) -> Result<Lines, ConfigError> {
    let endpoints = endpoints_file::parse(text)?;
    let line = |endpoint: &Endpoint| {
        let Endpoint { identity: _, name, address, labels: _, weight, draining } = endpoint;
        let draining = if *draining { ", draining" } else { "" };
        format!("{name}: {address}, weight {weight}{draining}")
    };
    Ok(endpoints.iter().map(line).collect())
}

fn report(file: &Path, checked: Result<Lines, ConfigError>) -> ExitCode {
    let name: &dyn Display = if is_stdin(file) { &"stdin" } else { &file.display() };
    match checked {
        Ok(lines) => {
            println!("ok");
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            error.problems.iter().for_each(|problem| println!("{name}:{problem}"));
            ExitCode::FAILURE
        }
    }
}

/// What differs from the defaults, as `field: value`, in the order of the names.
fn differences(config: &PickerConfig) -> Lines {
    let mut lines = Lines::new();
    if let (Ok(ours), Ok(default)) = (serde_json::to_value(config), serde_json::to_value(PickerConfig::default())) {
        compare("", &ours, &default, &mut lines);
    }
    lines
}

fn compare(field: &str, ours: &Value, default: &Value, lines: &mut Lines) {
    match (ours, default) {
        (Value::Object(ours), Value::Object(default)) => {
            for (name, value) in ours {
                let field = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                compare(&field, value, &default[name], lines);
            }
        }
        (ours, default) if ours == default => {}
        (Value::String(ours), _) => lines.push(format!("{field}: {ours}")),
        (ours, _) => lines.push(format!("{field}: {ours}")),
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    if is_stdin(file) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_defaults_is_printed() {
        let text = "sessions: {affinity: hard}\nscorers: {queueDepth: {weight: 1}, prefixLocality: {weight: 3}}";
        assert_eq!(
            check_config(text).expect("valid"),
            ["scorers.prefixLocality.weight: 3.0", "sessions.affinity: hard"]
        );
        assert!(check_config("").expect("valid").is_empty());
    }

    #[test]
    fn endpoints_are_printed_one_a_line() {
        let text = "endpoints: [{name: r1, address: ::1, port: 80, drain: true}]";
        assert_eq!(check_endpoints(text).expect("valid"), ["r1: [::1]:80, weight 1, draining"]);
    }
}
