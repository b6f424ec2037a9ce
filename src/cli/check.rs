//! `homing check`: whether a file would be accepted, and what it changes.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use crate::config::{self, ConfigError, Document, PickerConfig};
use crate::model::Endpoint;
use crate::sources::endpoints_file;

/// What `--help` says of the outcome.
const HELP: &str = "Prints `ok` and exits with 0: below it the settings that differ from the defaults, or the                     endpoints. Prints each problem as FILE:LINE:COLUMN: FIELD: MESSAGE and exits with 1; with 2 where                     the command line is wrong.";

/// Checks a configuration document, or an endpoints file, without serving anything.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The file to check; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Check it as an endpoints file, also where it has no field `endpoints`.
    #[arg(long)]
    endpoints: bool,
}

/// Checks one file.
///
/// # Errors
/// The file cannot be read, or nobody reads what is printed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { file, endpoints } = args;
    let text = read(&file)?;
    let endpoints = endpoints || names_endpoints(&text);
    let checked = if endpoints { check_endpoints(&text) } else { check_config(&text) };
    let correct = checked.is_ok();
    report(&file, checked, &mut io::stdout().lock()).context("standard output cannot be written")?;
    Ok(if correct { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines to print for a file that is right.
type Lines = Vec<String>;

/// Whether it is an endpoints file, however it is written. What is no YAML fails alike as either.
fn names_endpoints(text: &str) -> bool {
    Document::parse(text).is_ok_and(|document| document.fields().any(|field| field == "endpoints"))
}

fn check_config(text: &str) -> Result<Lines, ConfigError> {
    let parsed = config::parse(text)?;
    let warnings = parsed.warnings.into_iter().map(|warning| format!("warning: {warning}"));
    Ok(warnings.chain(differences(&parsed.config)).collect())
}

fn check_endpoints(text: &str) -> Result<Lines, ConfigError> {
    let endpoints = endpoints_file::parse(text)?;
    let line = |endpoint: &Endpoint| {
        let Endpoint { identity: _, name, address, weight, draining, ready: _, outdated: _, http2: _ } = endpoint;
        let draining = if *draining { ", draining" } else { "" };
        format!("{name}: {address}, weight {weight}{draining}")
    };
    Ok(endpoints.iter().map(line).collect())
}

fn report(file: &Path, checked: Result<Lines, ConfigError>, out: &mut impl Write) -> io::Result<()> {
    let name: &dyn Display = if is_stdin(file) { &"stdin" } else { &file.display() };
    match checked {
        Ok(lines) => {
            writeln!(out, "ok")?;
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))
        }
        Err(error) => error.problems.iter().try_for_each(|problem| writeln!(out, "{name}:{problem}")),
    }
}

/// What differs from the defaults, as `field: value`, in the order of the names.
pub(super) fn differences(config: &PickerConfig) -> Lines {
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
        io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
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

    fn printed(file: &str, checked: Result<Lines, ConfigError>) -> String {
        let mut out = Vec::new();
        report(Path::new(file), checked, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_problem_is_printed_behind_the_file_and_its_place() {
        let text = "scorers:\n  prefixLocality:\n    wieght: 2\n";
        let problem = "3:5: scorers.prefixLocality.wieght: unknown field (did you mean `weight`?)\n";
        assert_eq!(printed("picker.yaml", check_config(text)), format!("picker.yaml:{problem}"));
        assert_eq!(printed("-", check_config(text)), format!("stdin:{problem}"));
        assert_eq!(printed("-", check_config("limits: {bodyWait: 5s}")), "ok\nlimits.bodyWait: 5s\n");
    }

    #[test]
    fn an_endpoints_file_is_known_by_its_field_however_it_is_written() {
        for text in [
            "endpoints: []",
            r#"{"endpoints": []}"#,
            "  endpoints:
  - {}
",
            "'endpoints': []",
            "{endpoints: }",
        ] {
            assert!(names_endpoints(text), "{text}");
        }
        for text in ["", "sessions: {}", "x: {endpoints: []}", "- endpoints:", "# endpoints:", "endpoints: ["] {
            assert!(!names_endpoints(text), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_that_names_it() {
        let error = run(Args { file: "/nowhere/picker.yaml".into(), endpoints: false }).expect_err("no such file");
        assert_eq!(error.to_string(), "/nowhere/picker.yaml cannot be read");
    }

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
