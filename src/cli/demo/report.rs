//! What was measured, as numbers; written as `report.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::drive::{Outcome, Served};

/// All policies, round robin first.
#[derive(Debug, Serialize)]
pub struct Report {
    /// In the order in which they ran.
    pub policies: Vec<PolicyReport>,
}

/// One policy's measured requests.
#[derive(Debug, Serialize)]
pub struct PolicyReport {
    /// `round-robin` or `homing`; beside several Homings `1-picker`, and `2-alone` and `2-sharing` for two of them.
    pub name: String,
    /// All that were sent.
    pub requests: usize,
    /// Of these, without a complete answer.
    pub failed: usize,
    /// Share of prompt tokens that the engines had in their caches, by their own usage.
    pub hit_ratio: f64,
    /// From a request to the first piece of its answer.
    pub ttft_ms: Ttft,
    /// Conversations of which at least one request was served elsewhere than the one before.
    pub moved_sessions: usize,
    /// Requests that were answered, by who answered; also those that answered none.
    pub requests_per_endpoint: BTreeMap<String, usize>,
}

/// Times to first token in milliseconds, as clients see them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ttft {
    /// The mean.
    pub mean: f64,
    /// What half of them do not exceed.
    pub p50: f64,
    /// What 90 % do not exceed.
    pub p90: f64,
    /// What 99 % do not exceed.
    pub p99: f64,
}

// === impl Report ===

impl Report {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

// === impl PolicyReport ===

impl PolicyReport {
    /// Sums up what became of the measured requests.
    pub fn new(name: impl Into<String>, endpoints: &[String], outcomes: &[Outcome]) -> Self {
        let measured = || outcomes.iter().filter(|outcome| outcome.measured);
        let served = || measured().filter_map(|outcome| Some((outcome.conversation, outcome.served.as_ref().ok()?)));
        let sum = |tokens: fn(&Served) -> u64| served().map(|(_, served)| tokens(served)).sum::<u64>() as f64;
        let mut requests_per_endpoint: BTreeMap<String, usize> =
            endpoints.iter().map(|name| (name.clone(), 0)).collect();
        for (_, served) in served() {
            *requests_per_endpoint.entry(served.endpoint.clone()).or_default() += 1;
        }
        let moved: BTreeSet<u64> =
            served().filter(|(_, served)| served.moved).map(|(conversation, _)| conversation).collect();
        Self {
            name: name.into(),
            requests: measured().count(),
            failed: measured().count() - served().count(),
            hit_ratio: sum(|served| served.cached_tokens) / sum(|served| served.prompt_tokens).max(1.0),
            ttft_ms: Ttft::of(served().map(|(_, served)| served.time_to_first_token.as_secs_f64() * 1e3).collect()),
            moved_sessions: moved.len(),
            requests_per_endpoint,
        }
    }
}

// === impl Ttft ===

impl Ttft {
    /// Sums up times in milliseconds; all zero when there are none.
    fn of(mut times: Vec<f64>) -> Self {
        if times.is_empty() {
            return Self::default();
        }
        times.sort_by(f64::total_cmp);
        // The nearest rank: the least time that so many percent do not exceed.
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        Self { mean, p50: rank(50), p90: rank(90), p99: rank(99) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(conversation: u64, endpoint: &str, cached_tokens: u64, moved: bool) -> Outcome {
        let time_to_first_token = Duration::from_millis(cached_tokens);
        let endpoint = endpoint.to_owned();
        let served = Served { endpoint, time_to_first_token, prompt_tokens: 100, cached_tokens, moved };
        Outcome { conversation, measured: true, served: Ok(served) }
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let ttft = Ttft::of((1..=200).map(f64::from).collect());
        assert_eq!((ttft.mean, ttft.p50, ttft.p90, ttft.p99), (100.5, 100.0, 180.0, 198.0));
        let one = Ttft::of(vec![7.0]);
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn hits_are_counted_by_tokens_and_moves_by_session() {
        let outcomes = [
            outcome(1, "r1", 0, false),
            outcome(1, "r2", 50, true),
            outcome(1, "r1", 100, true),
            Outcome { conversation: 2, measured: true, served: Err(anyhow::anyhow!("refused")) },
            Outcome { measured: false, ..outcome(3, "r3", 100, true) },
        ];
        let report = PolicyReport::new("homing", &["r1".to_owned(), "r3".to_owned()], &outcomes);
        assert_eq!((report.requests, report.failed, report.moved_sessions), (4, 1, 1));
        assert_eq!(report.hit_ratio, 0.5);
        assert_eq!(Vec::from_iter(report.requests_per_endpoint.values().copied()), [2, 1, 0]);
    }

    #[test]
    fn the_report_has_the_promised_shape() {
        let policy = |name| PolicyReport::new(name, &["r1".to_owned()], &[outcome(1, "r1", 50, false)]);
        let report = Report { policies: vec![policy("round-robin"), policy("homing")] };
        let expected = serde_json::json!({
            "name": "homing", "requests": 1, "failed": 0, "hit_ratio": 0.5,
            "ttft_ms": {"mean": 50.0, "p50": 50.0, "p90": 50.0, "p99": 50.0},
            "moved_sessions": 0, "requests_per_endpoint": {"r1": 1}
        });
        assert_eq!(serde_json::to_value(&report).expect("JSON")["policies"][1], expected);
    }
}
