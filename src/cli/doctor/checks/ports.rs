//! Whether the endpoints accept connections.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::doctor::finding::{Finding, count, some};
use crate::model::Endpoint;

/// The name of this check.
pub const NAME: &str = "ports";
/// Endpoints that are tried, all at once; what is wrong with one of thousands is seldom wrong with it alone.
pub const MOST: usize = 64;

/// How a connection failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unreached {
    /// Nobody listens there.
    Refused,
    /// Nobody said anything, or there is no way there.
    Silent,
    /// Anything else.
    Other(String),
}

/// From where somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// From where a picker could run: what cannot be reached is wrong.
    Inside,
    /// From outside of the cluster, from where pods often cannot be reached.
    Outside,
}

/// Connects to each endpoint once, and returns those that accept.
pub async fn check(endpoints: &[Endpoint], from: From, limit: Duration) -> (Vec<Finding>, Vec<Endpoint>) {
    let tried = endpoints.iter().take(MOST).map(async |endpoint| (endpoint, connect(endpoint, limit).await));
    let tried = join_all(tried).await;
    let reached =
        tried.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(endpoint, _)| (*endpoint).clone()).collect();
    (judge(&tried, endpoints.len(), from), reached)
}

async fn connect(endpoint: &Endpoint, limit: Duration) -> Result<(), Unreached> {
    match timeout(limit, TcpStream::connect(endpoint.address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Unreached::of(&error)),
        Err(_) => Err(Unreached::Silent),
    }
}

fn judge(tried: &[(&Endpoint, Result<(), Unreached>)], all: usize, from: From) -> Vec<Finding> {
    let mut failed: BTreeMap<&Unreached, Vec<String>> = BTreeMap::new();
    for (endpoint, outcome) in tried {
        if let Err(unreached) = outcome {
            failed.entry(unreached).or_default().push(format!("{} ({})", endpoint.name, endpoint.address));
        }
    }
    let reached = tried.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    let rest = match all - tried.len() {
        0 => String::new(),
        rest => format!("; {rest} more were not tried"),
    };
    let mut findings = Vec::new();
    if reached > 0 {
        let tried = count(tried.len(), "endpoint");
        findings.push(Finding::ok(NAME, format!("connections are accepted by {reached} of {tried}{rest}")));
    }
    findings.extend(failed.iter().map(|(unreached, names)| {
        let finding = format!("{} {}: {}", count(names.len(), "endpoint"), unreached.said(), some(names));
        match (unreached, from) {
            (Unreached::Refused, _) => {
                let fix = "does the engine listen on that port, and on the pod's address instead of 127.0.0.1 alone? Else \
                           correct the target ports";
                Finding::failure(NAME, finding, fix)
            }
            (_, From::Outside) => {
                let fix = "pods often cannot be reached from outside of the cluster, which says nothing about Homing: run \
                           this in a pod of the cluster";
                Finding::warning(NAME, finding, fix)
            }
            (_, From::Inside) => {
                let fix = "let the network (a NetworkPolicy, a firewall) pass what goes from the picker to the engines";
                Finding::failure(NAME, finding, fix)
            }
        }
    }));
    findings
}

// === impl Unreached ===

impl Unreached {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Silent
            }
            _ => Self::Other(error.to_string()),
        }
    }

    fn said(&self) -> String {
        match self {
            Self::Refused => "refused the connection".to_owned(),
            Self::Silent => "could not be reached".to_owned(),
            Self::Other(said) => format!("could not be connected to ({said})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn endpoint(name: &str) -> Endpoint {
        Endpoint::new(name, ([10, 0, 0, 7], 8000).into())
    }

    #[test]
    fn failures_are_put_together_by_how_they_fail() {
        let endpoints = ["a", "b", "c", "d"].map(endpoint);
        let outcomes = [Ok(()), Err(Unreached::Refused), Err(Unreached::Silent), Err(Unreached::Refused)];
        let tried: Vec<_> = endpoints.iter().zip(outcomes).collect();
        let findings = judge(&tried, 9, From::Inside);
        let told: Vec<_> = findings.iter().map(|it| (it.status, it.finding.as_str())).collect();
        assert_eq!(
            told,
            [
                (Status::Ok, "connections are accepted by 1 of 4 endpoints; 5 more were not tried"),
                (Status::Failure, "2 endpoints refused the connection: b (10.0.0.7:8000), d (10.0.0.7:8000)"),
                (Status::Failure, "1 endpoint could not be reached: c (10.0.0.7:8000)"),
            ]
        );
    }

    #[test]
    fn from_outside_silence_is_a_warning_that_says_so_and_a_refusal_is_not() {
        let endpoint = endpoint("a");
        let silent = judge(&[(&endpoint, Err(Unreached::Silent))], 1, From::Outside);
        assert_eq!(silent[0].status, Status::Warning);
        assert!(silent[0].fix.as_ref().is_some_and(|fix| fix.contains("outside of the cluster")), "{silent:?}");
        let refused = judge(&[(&endpoint, Err(Unreached::Refused))], 1, From::Outside);
        assert_eq!(refused[0].status, Status::Failure);
    }
}
