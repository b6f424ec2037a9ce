//! The endpoints of a file.

use std::io;
use std::path::Path;

use super::pods::NAME;
use crate::cli::doctor::finding::{Finding, count};
use crate::model::Endpoint;
use crate::sources::endpoints_file;

/// Reads it; returns the endpoints that may serve.
pub fn check(path: &Path) -> (Vec<Finding>, Vec<Endpoint>) {
    judge(path, std::fs::read_to_string(path))
}

fn judge(path: &Path, text: io::Result<String>) -> (Vec<Finding>, Vec<Endpoint>) {
    let path = path.display();
    let fail = |finding, fix| (vec![Finding::failure(NAME, finding, fix)], Vec::new());
    let text = match text {
        Ok(text) => text,
        Err(error) => return fail(format!("{path}: {error}"), "let --endpoints-file name a file that can be read"),
    };
    let endpoints = match endpoints_file::parse(&text) {
        Ok(endpoints) => endpoints,
        Err(error) => {
            let failure = |problem| Finding::failure(NAME, format!("{path}:{problem}"), "correct the file");
            return (error.problems.iter().map(failure).collect(), Vec::new());
        }
    };
    let all = endpoints.len();
    let eligible: Vec<Endpoint> = endpoints.into_iter().filter(Endpoint::is_eligible).collect();
    let summary = format!("{path}: {} of {} may serve", eligible.len(), count(all, "endpoint"));
    if eligible.is_empty() {
        return fail(summary, "name at least one with a weight above 0: until then requests get 503");
    }
    (vec![Finding::ok(NAME, summary)], eligible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    #[test]
    fn endpoints_of_a_file_are_counted_and_its_problems_named() {
        let check = |text: &str| judge(Path::new("e.yaml"), Ok(text.to_owned()));
        let two =
            "endpoints: [{name: a, address: 10.0.0.1, port: 1}, {name: b, address: 10.0.0.2, port: 1, weight: 0}]";
        let (findings, endpoints) = check(two);
        assert_eq!(findings, [Finding::ok(NAME, "e.yaml: 1 of 2 endpoints may serve")]);
        assert_eq!(endpoints.len(), 1);
        assert_eq!(check("endpoints: []").0[0].status, Status::Failure);
        let (findings, _) = check("endpoints: [{name: a, adress: 10.0.0.1, port: 1}]");
        assert!(
            findings[0].finding.starts_with("e.yaml:1:") && findings[0].finding.contains("`address`"),
            "{findings:?}"
        );
        let (findings, _) = judge(Path::new("e.yaml"), Err(io::ErrorKind::NotFound.into()));
        assert_eq!(findings[0].status, Status::Failure);
    }
}
