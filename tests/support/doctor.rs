//! `homing doctor`, run to its end, and what it found.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::homing::binary;
use super::wait::within;

/// What one run found.
#[derive(Debug)]
pub struct Diagnosis {
    pub code: Option<i32>,
    pub checks: Vec<Value>,
}

/// Runs it with these flags and variables, and JSON as its output; engines of this process go on meanwhile.
pub async fn doctor(flags: &[&str], environment: &[(&str, &std::ffi::OsStr)]) -> Diagnosis {
    let (code, text) = told(&[flags, &["--output", "json"]].concat(), environment).await;
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    Diagnosis { code, checks: document["checks"].as_array().expect("an array of checks").clone() }
}

/// Runs it, and returns its exit code and what it printed.
pub async fn told(flags: &[&str], environment: &[(&str, &std::ffi::OsStr)]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    let environment: Vec<(OsString, OsString)> =
        environment.iter().map(|(name, value)| (name.into(), (*value).to_owned())).collect();
    command.arg("doctor").args(flags).envs(environment).stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output().expect("Homing can be run"));
    let output = within("the doctor's report", run).await.expect("it is no panic");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

impl Diagnosis {
    /// All findings of one check, each as `status: finding`.
    pub fn of(&self, name: &str) -> Vec<String> {
        let those = self.checks.iter().filter(|check| check["name"] == name);
        those.map(|check| format!("{}: {}", text(&check["status"]), text(&check["finding"]))).collect()
    }

    /// The finding of this check that has this in it, and what to do about it.
    #[track_caller]
    pub fn finding(&self, name: &str, part: &str) -> (String, String) {
        let found = self.checks.iter().find(|check| check["name"] == name && text(&check["finding"]).contains(part));
        let found = found.unwrap_or_else(|| panic!("{name}: {part:?} is not in {:#?}", self.checks));
        (text(&found["status"]), text(&found["fix"]))
    }

    /// The names of all checks with a finding of this status.
    pub fn with(&self, status: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.checks.iter().filter(|check| check["status"] == status).map(|check| text(&check["name"])).collect();
        names.dedup();
        names
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
