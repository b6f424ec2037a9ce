//! What a check found, and what to do about it.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was not looked at; the finding says why.
    Skipped,
    /// It is as it should be.
    Ok,
    /// Homing serves, and something is worse than it could be.
    Warning,
    /// Homing cannot do what it was told to.
    Failure,
}

/// One line of the report. A check gives one or more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check it is of; scripts go by it.
    pub name: &'static str,
    /// How bad it is.
    pub status: Status,
    /// What was found.
    pub finding: String,
    /// What to do about it, where something is to be done.
    pub fix: Option<String>,
}

impl Status {
    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

impl Finding {
    /// All is well.
    pub fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, finding: finding.into(), fix: None }
    }

    /// It could be better.
    pub fn warning(name: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Warning, finding: finding.into(), fix: Some(fix.into()) }
    }

    /// It must be mended.
    pub fn failure(name: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Failure, finding: finding.into(), fix: Some(fix.into()) }
    }

    /// It was not looked at.
    pub fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, status: Status::Skipped, finding: why.into(), fix: None }
    }
}

/// `1 pod`, `2 pods`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The first few of many, and how many more there are.
pub fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_cut() {
        let names: Vec<String> = (1..=7).map(|n| format!("r{n}")).collect();
        assert_eq!(some(&names), "r1, r2, r3, r4, r5 and 2 more");
        assert_eq!(some(&names[..2]), "r1, r2");
        assert_eq!([0, 1, 2].map(|n| count(n, "pod")), ["0 pods", "1 pod", "2 pods"]);
    }
}
