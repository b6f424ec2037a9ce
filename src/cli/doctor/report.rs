//! All findings, for people or for scripts.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::finding::{Finding, Status, count};

#[derive(Serialize)]
struct Document<'a> {
    checks: &'a [Finding],
}

/// 1 if anything has failed.
pub fn exit_code(findings: &[Finding]) -> ExitCode {
    if of(findings, Status::Failure) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One object of JSON.
pub fn json(findings: &[Finding], to: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *to, &Document { checks: findings })?;
    writeln!(to)
}

/// A line for each finding, the fix below it, and how many there are of each kind.
pub fn table(findings: &[Finding], to: &mut impl Write) -> io::Result<()> {
    let width = width(findings);
    findings.iter().try_for_each(|finding| row(finding, width, to))?;
    writeln!(to, "\n{}", sum(findings))
}

/// How wide the column of names is.
pub fn width(findings: &[Finding]) -> usize {
    findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0)
}

/// One finding, and the fix below it.
pub fn row(Finding { name, status, finding, fix }: &Finding, width: usize, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "{:<9}{name:<width$}  {}", status.as_str(), plain(finding))?;
    match fix {
        Some(fix) => writeln!(to, "{:9}{:width$}  fix: {}", "", "", plain(fix)),
        None => Ok(()),
    }
}

/// How many there are of each kind.
pub fn sum(findings: &[Finding]) -> String {
    let [failures, warnings, ok, skipped] =
        [Status::Failure, Status::Warning, Status::Ok, Status::Skipped].map(|status| of(findings, status));
    format!("{}, {}, {ok} ok, {skipped} skipped", count(failures, "failure"), count(warnings, "warning"))
}

fn of(findings: &[Finding], status: Status) -> usize {
    findings.iter().filter(|finding| finding.status == status).count()
}

/// Much of it was written by others: it must not speak to the terminal, nor break a line.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("pool", "llm/llama"),
            Finding::failure("endpoints", "no\npod \u{1b}[2J", "make one"),
            Finding::skipped("tls", "no --picker"),
        ]
    }

    fn written(write: fn(&[Finding], &mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&findings(), &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_table_is_aligned_and_does_not_speak_to_the_terminal() {
        let expected = "\
ok       pool       llm/llama
failure  endpoints  no\\npod \\u{1b}[2J
                    fix: make one
skipped  tls        no --picker

1 failure, 0 warnings, 1 ok, 1 skipped
";
        assert_eq!(written(table), expected);
    }

    #[test]
    fn the_json_has_all_fields_of_each_check() {
        let document: serde_json::Value = serde_json::from_str(&written(json)).expect("JSON");
        let first = serde_json::json!({"name": "pool", "status": "ok", "finding": "llm/llama", "fix": null});
        assert_eq!(document["checks"][0], first);
        assert_eq!(document["checks"][1]["status"], "failure");
        assert_eq!(document["checks"][1]["fix"], "make one");
    }

    #[test]
    fn only_a_failure_changes_the_exit_code() {
        assert_eq!(exit_code(&findings()), ExitCode::FAILURE);
        assert_eq!(exit_code(&[Finding::warning("pool", "", "")]), ExitCode::SUCCESS);
    }
}
