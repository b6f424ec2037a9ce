//! Whether the engines' metrics can be read, and whose they are.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::cli::doctor::finding::{Finding, count, some};
use crate::config::EngineMetrics;
use crate::model::{Endpoint, EndpointId, EngineKind};
use crate::sources::engine_metrics::{Asked, ScrapeError, Scraper, Target, ask_once};

/// The name of this check.
pub const NAME: &str = "metrics";

/// What an engine's page came to.
#[derive(Clone, Debug, PartialEq)]
struct Page {
    /// The endpoint.
    name: String,
    /// Where the page was looked for.
    place: String,
    /// Whose names it has, or why it could not be read and what to do about that.
    read: Result<Option<EngineKind>, (String, &'static str)>,
}

/// Asks each of these engines once, all at once, as a picker with these settings would.
pub async fn check(endpoints: &[Endpoint], settings: &EngineMetrics, limit: Duration) -> Vec<Finding> {
    if !settings.enabled {
        return vec![Finding::skipped(NAME, "the configuration says engineMetrics.enabled: false")];
    }
    if endpoints.is_empty() {
        return vec![Finding::skipped(NAME, "no endpoint accepts connections")];
    }
    let settings = EngineMetrics { timeout: settings.timeout.min(limit), ..settings.clone() };
    let scraper = Scraper::new();
    let asked = (0..).zip(endpoints).map(async |(slot, endpoint)| {
        let id = EndpointId { slot, generation: 1 };
        let target = Target { id, address: endpoint.address, http2: endpoint.http2 };
        let asked = timeout(limit, ask_once(target, &scraper, &settings)).await;
        page(endpoint, asked.ok(), limit)
    });
    judge(&join_all(asked).await)
}

fn page(endpoint: &Endpoint, asked: Option<Asked>, limit: Duration) -> Page {
    let (place, outcome) = match asked {
        Some(Asked { address, path, outcome }) => (format!("{address}{path}"), outcome),
        None => (endpoint.address.to_string(), Err(ScrapeError::Timeout(limit))),
    };
    let read = outcome.map(|report| report.engine).map_err(|error| (error.to_string(), fix(&error)));
    Page { name: endpoint.name.to_string(), place, read }
}

fn judge(pages: &[Page]) -> Vec<Finding> {
    let mut engines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut failed: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for Page { name, place, read } in pages {
        let named = format!("{name} (http://{place})");
        match read {
            Ok(Some(engine)) => *engines.entry(engine.as_str()).or_default() += 1,
            Ok(None) => unknown.push(named),
            Err((error, fix)) => failed.entry((error, fix)).or_default().push(named),
        }
    }
    let mut findings = Vec::new();
    if !engines.is_empty() {
        let known: usize = engines.values().sum();
        let engines =
            engines.iter().map(|(engine, number)| format!("{number} {engine}")).collect::<Vec<_>>().join(", ");
        let all = count(pages.len(), "endpoint");
        findings.push(Finding::ok(NAME, format!("the pages of {known} of {all} are understood: {engines}")));
    }
    // Without metrics Homing goes by its own bookings: worse picks, and no failed request.
    if !unknown.is_empty() {
        let finding = format!("a page has none of the names that Homing knows: {}", some(&unknown));
        let fix = "is this the engine's metrics page, and are its metrics switched on? engineMetrics names another path, port \
                   or engine";
        findings.push(Finding::warning(NAME, finding, fix));
    }
    findings.extend(
        failed
            .into_iter()
            .map(|((error, fix), names)| Finding::warning(NAME, format!("{error}: {}", some(&names)), fix)),
    );
    findings
}

fn fix(error: &ScrapeError) -> &'static str {
    match error {
        ScrapeError::Timeout(_) => "see why the engine is slow, or raise engineMetrics.timeout",
        ScrapeError::Status(_) => {
            "switch the engine's metrics on (SGLang: --enable-metrics), or let engineMetrics.path name its page"
        }
        ScrapeError::Json => "say engineMetrics.engine: trtllm-serve, and let the engine say return_perf_metrics: true",
        ScrapeError::Connect(_) => "let engineMetrics.port name the port of the page",
        ScrapeError::TooLarge | ScrapeError::Exchange(_) => {
            "let engineMetrics.port and path name the engine's metrics page"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn of(name: &str, read: Result<Option<EngineKind>, (String, &'static str)>) -> Page {
        Page { name: name.to_owned(), place: "10.0.0.7:8000/metrics".to_owned(), read }
    }

    #[test]
    fn engines_are_counted_and_what_cannot_be_read_is_a_warning() {
        let refused = || Err(("the answer was 404 Not Found".to_owned(), "switch it on"));
        let pages = [
            of("a", Ok(Some(EngineKind::Vllm))),
            of("b", Ok(Some(EngineKind::Vllm))),
            of("c", Ok(Some(EngineKind::Sglang))),
            of("d", Ok(None)),
            of("e", refused()),
            of("f", refused()),
        ];
        let findings = judge(&pages);
        let told: Vec<_> = findings.iter().map(|it| (it.status, it.finding.as_str())).collect();
        let place = "(http://10.0.0.7:8000/metrics)";
        assert_eq!(
            told,
            [
                (Status::Ok, "the pages of 3 of 6 endpoints are understood: 1 sglang, 2 vllm"),
                (Status::Warning, &*format!("a page has none of the names that Homing knows: d {place}")),
                (Status::Warning, &*format!("the answer was 404 Not Found: e {place}, f {place}")),
            ]
        );
    }

    #[tokio::test]
    async fn nobody_is_asked_where_the_configuration_says_so() {
        let settings = EngineMetrics { enabled: false, ..EngineMetrics::default() };
        let endpoint = Endpoint::new("a", ([127, 0, 0, 1], 1).into());
        let findings = check(&[endpoint], &settings, Duration::from_secs(1)).await;
        assert_eq!(findings[0].status, Status::Skipped);
    }
}
