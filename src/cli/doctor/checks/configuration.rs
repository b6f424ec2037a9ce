//! The configuration: the ConfigMap and the file that are named, and what holds in the end.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{in_time, mend};
use crate::cli::doctor::finding::Finding;
use crate::config::{self, PickerConfig};
use crate::sources::kubernetes::{Cluster, Unanswered};

/// The name of this check.
pub const NAME: &str = "configuration";
/// The key that holds the document unless another is named.
const KEY: &str = "config.yaml";

/// What a ConfigMap holds: keys and texts.
type Data = Vec<(String, String)>;

/// Looks at the ConfigMap, where there is an API server to ask.
pub async fn check_map(cluster: &Cluster, named: &str, limit: Duration) -> (Vec<Finding>, Option<PickerConfig>) {
    let (name, key) = named.split_once('/').unwrap_or((named, KEY));
    let found = in_time(limit, cluster.config_map(name)).await;
    judge_map(found, &format!("ConfigMap {}/{name}", cluster.namespace()), key)
}

/// Looks at the file.
pub fn check_file(path: &Path) -> (Vec<Finding>, Option<PickerConfig>) {
    judge_file(&path.display().to_string(), std::fs::read_to_string(path))
}

/// Nothing is named.
pub fn defaults() -> Finding {
    Finding::ok(NAME, "the built-in defaults: neither --config-map nor --config-file is given")
}

fn judge_map(found: Result<Option<Data>, Unanswered>, map: &str, key: &str) -> (Vec<Finding>, Option<PickerConfig>) {
    let fail = |finding, fix: &str| (vec![Finding::failure(NAME, finding, fix)], None);
    let data = match found {
        Ok(Some(data)) => data,
        Ok(None) => {
            return fail(format!("no {map}"), "create it, or correct --config-map; until then the defaults hold");
        }
        Err(unanswered) => return fail(format!("{map}: {unanswered}"), mend(&unanswered)),
    };
    match data.iter().find(|(name, _)| name == key) {
        Some((_, text)) => judge(&format!("{map} {key}"), text),
        None => {
            let keys: Vec<&str> = data.iter().map(|(name, _)| name.as_str()).collect();
            let finding = format!("{map} has no key {key}, only: {}", keys.join(", "));
            fail(finding, "give the document that key, or name its key: --config-map NAME/KEY")
        }
    }
}

fn judge_file(path: &str, text: io::Result<String>) -> (Vec<Finding>, Option<PickerConfig>) {
    match text {
        Ok(text) => judge(path, &text),
        Err(error) => {
            let fix = "let --config-file name a file that can be read";
            (vec![Finding::failure(NAME, format!("{path}: {error}"), fix)], None)
        }
    }
}

fn judge(from: &str, text: &str) -> (Vec<Finding>, Option<PickerConfig>) {
    match config::parse(text) {
        Ok(parsed) => {
            let mut findings = vec![Finding::ok(NAME, format!("{from} is valid"))];
            let warned = |warning| Finding::warning(NAME, format!("{from}: {warning}"), "write a PickerConfig");
            findings.extend(parsed.warnings.into_iter().map(warned));
            (findings, Some(parsed.config))
        }
        Err(error) => {
            let fix = "correct it; `homing check` tells the same of a file. Until then the last good one holds, or the defaults";
            let failure = |problem| Finding::failure(NAME, format!("{from}:{problem}"), fix);
            (error.problems.iter().map(failure).collect(), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;
    use crate::sources::kubernetes::Trouble;

    fn map(text: &str) -> (Vec<Finding>, Option<PickerConfig>) {
        judge_map(Ok(Some(vec![("config.yaml".to_owned(), text.to_owned())])), "ConfigMap llm/picker", KEY)
    }

    #[test]
    fn a_valid_document_is_taken_and_each_problem_of_a_bad_one_named() {
        let (findings, config) = map("sessions: {affinity: hard}");
        assert_eq!(findings, [Finding::ok(NAME, "ConfigMap llm/picker config.yaml is valid")]);
        assert!(config.is_some());
        let (findings, config) = map("sesions: {}\nscorers: {queueDepth: {weight: -1}}");
        assert!(findings.len() == 2 && config.is_none(), "{findings:?}");
        assert!(findings[0].finding.starts_with("ConfigMap llm/picker config.yaml:1:1: sesions: "), "{findings:?}");
    }

    #[test]
    fn what_another_picker_reads_is_a_warning() {
        let (findings, config) = map("kind: EndpointPickerConfig\nplugins: []");
        assert!(findings[1].status == Status::Warning && config.is_some(), "{findings:?}");
    }

    #[test]
    fn a_map_or_a_key_that_is_not_there_fails() {
        assert_eq!(judge_map(Ok(None), "ConfigMap llm/picker", KEY).0[0].finding, "no ConfigMap llm/picker");
        let (findings, _) =
            judge_map(Ok(Some(vec![("picker".to_owned(), String::new())])), "ConfigMap llm/picker", KEY);
        assert_eq!(findings[0].finding, "ConfigMap llm/picker has no key config.yaml, only: picker");
        let forbidden = Unanswered { trouble: Trouble::Forbidden, said: String::new() };
        assert_eq!(judge_map(Err(forbidden), "ConfigMap llm/picker", KEY).0[0].status, Status::Failure);
        assert_eq!(judge_file("f", Err(io::ErrorKind::NotFound.into())).0[0].status, Status::Failure);
    }
}
