//! Metric handles, made once: names and help texts live here and nowhere else.
//!
//! The one entry is [`Metrics`]; everybody may count through it, the metrics port renders it.

mod counters;
mod pods;
mod scrapes;
mod sharing;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::model::{Reason, SessionSource};

pub use counters::Counters;
pub use pods::{PodGauges, PodState};
pub use scrapes::ScrapeLabel;
pub use sharing::{Direction, SharingFailure, SharingMetrics};

/// A count for each endpoint, by name; set when the page is asked for, from a count that is kept elsewhere.
pub type EndpointCounter = Family<[(&'static str, String); 1], Counter>;

/// A gauge for each watch on the API server, by what it watches.
pub type WatchGauge = Family<[(&'static str, &'static str); 1], Gauge>;

/// A gauge for each endpoint, by name.
pub type EndpointGauge = Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>>;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalLabel {
    /// 503: no endpoint was eligible.
    NoEndpoints,
    /// 413: the body was over the limit.
    BodyTooLarge,
    /// 429: every endpoint has more tokens waiting than `limits.waitingTokensPerEndpoint`.
    Saturated,
    /// 400, in strict mode: no engine can take the body.
    Invalid,
}

impl RefusalLabel {
    /// Every reason, in the order of `docs/metrics.md`.
    pub const ALL: [Self; 4] = [Self::NoEndpoints, Self::BodyTooLarge, Self::Saturated, Self::Invalid];

    /// The word in the metric, in the reason header and in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoEndpoints => "rejected-no-endpoints",
            Self::BodyTooLarge => "body-too-large",
            Self::Saturated => "rejected-saturated",
            Self::Invalid => "invalid-request",
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndLabel {
    /// The response ended.
    Completed,
    /// The gateway went away before the response had ended.
    Aborted,
    /// The request was refused.
    Refused,
    /// The gateway does not show the response's end; the booking ends by prediction.
    Detached,
}

/// Why a pick was made before the body was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyLabel {
    /// There is no body.
    NoBody,
    /// The body would not be read: compressed, multipart, gRPC or an unknown path.
    Unreadable,
    /// The body mode does not let a body change the pick.
    BodyMode,
    /// Nothing in the configuration lets a body change the pick, or `hard` affinity holds the session.
    Settled,
    /// All bodies together were over `limits.bufferedBodies`.
    Budget,
    /// The body took longer than `limits.bodyWait`.
    Slow,
}

/// Whether something that is read again and again was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was read and is in force.
    Good,
    /// It could not be read; what was there before stays.
    Bad,
}

/// All handles.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Picks by reason.
    pub picks: Counters<Reason>,
    /// Picks by where the session id came from.
    pub sessions: Counters<SessionSource>,
    /// Session ids that were invalid and treated as none.
    pub invalid_session_ids: Counter,
    /// Session headers that came more than once; the first counts.
    pub repeated_session_headers: Counter,
    /// Sessions that got another home.
    pub moved_sessions: Counter,
    /// Picks before the body was known.
    pub early: Counters<EarlyLabel>,
    /// Requests refused.
    pub refused: Counters<RefusalLabel>,
    /// Panics in scheduling that a load-only pick caught.
    pub panics: Counter,
    /// Streams by their end.
    pub ended: Counters<EndLabel>,
    /// Streams that the gateway only lets us watch.
    pub observed: Counter,
    /// Subset hints that are neither text nor a list, and so admit nobody.
    pub odd_subsets: Counter,
    /// Streams open now.
    pub open_streams: Gauge,
    /// Bytes of request bodies kept now.
    pub buffered_bytes: Gauge,
    /// Body chunks after the end of the body, dropped.
    pub duplicate_chunks: Counter,
    /// Bodies of known kind that could not be understood.
    pub malformed_bodies: Counter,
    /// Control headers of a client that were taken out.
    pub stripped_headers: Counter,
    /// Estimated prompt tokens of all picks.
    pub prompt_tokens: Counter<f64, AtomicU64>,
    /// Estimated prompt tokens that the picked endpoint held.
    pub matched_tokens: Counter<f64, AtomicU64>,
    /// Requests that another endpoint served than was picked.
    pub served_elsewhere: Counter,
    /// Reads of the configuration, from its file or its ConfigMap.
    pub config_reloads: Counters<Taken>,
    /// 1 while the last read of the configuration was good, or nothing was to be read; 0 after a bad one.
    pub config_good: Gauge,
    /// Reads of the endpoints file.
    pub endpoints_reloads: Counters<Taken>,
    /// Reads of the certificate's files.
    pub certificate_reloads: Counters<Taken>,
    /// When the certificate in force expires, in unix seconds; nothing where there is none.
    pub certificate_expiry: Family<[(&'static str, &'static str); 0], Gauge>,
    /// Pods of the pool, by whether they serve and why not.
    pub pool_pods: PodGauges,
    /// 1 for each watch on the API server that is up, 0 for one that fails.
    pub watches: WatchGauge,
    /// Scrapes of engines, by how they ended.
    pub scrapes: Counters<ScrapeLabel>,
    /// The exchange with other replicas.
    pub sharing: SharingMetrics,
    /// Endpoints in the pool.
    pub endpoints: Gauge,
    /// Endpoints that may serve.
    pub eligible_endpoints: Gauge,
    /// Sessions remembered.
    pub session_entries: Gauge,
    /// Bytes of the prefix index.
    pub index_bytes: Gauge,
    /// Bytes per token, as learned.
    pub bytes_per_token: Gauge<f64, AtomicU64>,
    /// Tokens waiting, by endpoint.
    pub waiting_tokens: EndpointGauge,
    /// Requests in flight, by endpoint.
    pub in_flight: EndpointGauge,
    /// Prefix blocks held, by endpoint.
    pub blocks: EndpointGauge,
    /// Share of recent failures, by endpoint.
    pub failure_share: EndpointGauge,
    /// Picks, by endpoint.
    pub endpoint_picks: EndpointCounter,
    /// Seconds since the last good scrape, by endpoint; none where there was none.
    pub scrape_age: EndpointGauge,
    /// Share of KV blocks in use, by endpoint; none where it is not known.
    pub kv_usage: EndpointGauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes and registers every handle.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("homing");
        let r = &mut registry;
        let taken = [(Taken::Good, "good"), (Taken::Bad, "bad")];
        Self {
            picks: Counters::new(r, "picks", "Picks by reason", "reason", &Reason::ALL.map(|it| (it, it.as_str()))),
            sessions: Counters::new(
                r,
                "sessions",
                "Picks by the source of their session id",
                "source",
                &SessionSource::ALL.map(|it| (it, it.as_str())),
            ),
            invalid_session_ids: counter(
                r,
                "invalid_session_ids",
                "Session ids and tenant values that were invalid and treated as none",
            ),
            repeated_session_headers: counter(
                r,
                "repeated_session_headers",
                "Session headers that came more than once; the first counts",
            ),
            moved_sessions: counter(r, "moved_sessions", "Sessions that got another home"),
            early: Counters::new(
                r,
                "early_picks",
                "Picks made before the body was known, by cause",
                "cause",
                &[
                    (EarlyLabel::NoBody, "no-body"),
                    (EarlyLabel::Unreadable, "unreadable"),
                    (EarlyLabel::BodyMode, "body-mode"),
                    (EarlyLabel::Settled, "settled"),
                    (EarlyLabel::Budget, "budget"),
                    (EarlyLabel::Slow, "slow"),
                ],
            ),
            refused: Counters::new(
                r,
                "refused",
                "Requests refused, by reason",
                "reason",
                &RefusalLabel::ALL.map(|it| (it, it.as_str())),
            ),
            panics: counter(r, "scheduling_panics", "Panics in scheduling that a load-only pick caught"),
            ended: Counters::new(
                r,
                "streams",
                "Streams by how they ended",
                "end",
                &[
                    (EndLabel::Completed, "completed"),
                    (EndLabel::Aborted, "aborted"),
                    (EndLabel::Refused, "refused"),
                    (EndLabel::Detached, "detached"),
                ],
            ),
            observed: counter(r, "observed_streams", "Streams in observability mode, which are not answered"),
            odd_subsets: counter(
                r,
                "odd_subset_hints",
                "Subset hints that are neither text nor a list and admit nobody",
            ),
            open_streams: gauge(r, "open_streams", "Streams open now; gateways limit them to 1,024 by default"),
            buffered_bytes: gauge(r, "buffered_body_bytes", "Bytes of request bodies kept for their pick"),
            duplicate_chunks: counter(r, "duplicate_chunks", "Body chunks after the end of the body, dropped"),
            malformed_bodies: counter(r, "malformed_bodies", "Bodies of a known kind that could not be understood"),
            stripped_headers: counter(r, "stripped_headers", "Control headers sent by clients that were taken out"),
            prompt_tokens: {
                let metric = Counter::default();
                r.register("prompt_tokens", "Estimated prompt tokens of all picks whose body was read", metric.clone());
                metric
            },
            matched_tokens: {
                let metric = Counter::default();
                r.register("matched_tokens", "Estimated prompt tokens that the picked endpoint held", metric.clone());
                metric
            },
            served_elsewhere: counter(r, "served_elsewhere", "Requests that another endpoint served than was picked"),
            config_reloads: Counters::new(r, "config_reloads", "Reads of the configuration", "outcome", &taken),
            config_good: {
                let good = gauge(r, "config_good", "Whether the last read of the configuration was good");
                good.set(1);
                good
            },
            endpoints_reloads: Counters::new(r, "endpoints_reloads", "Reads of the endpoints", "outcome", &taken),
            certificate_reloads: Counters::new(r, "certificate_reloads", "Reads of the certificate", "outcome", &taken),
            certificate_expiry: {
                let metric = Family::default();
                r.register("certificate_expiry_seconds", "When the certificate expires, unix time", metric.clone());
                metric
            },
            pool_pods: PodGauges::new(r, "pool_pods", "Pods of the pool, by whether they serve and why not"),
            watches: {
                let gauges = WatchGauge::default();
                r.register("watch_up", "Whether a watch on the Kubernetes API server is up", gauges.clone());
                gauges
            },
            scrapes: Counters::new(
                r,
                "scrapes",
                "Scrapes of engine metrics, by how they ended",
                "outcome",
                &ScrapeLabel::ALL.map(|it| (it, it.as_str())),
            ),
            sharing: SharingMetrics::new(r),
            endpoints: gauge(r, "endpoints", "Endpoints in the pool"),
            eligible_endpoints: gauge(r, "eligible_endpoints", "Endpoints that may serve"),
            session_entries: gauge(r, "session_entries", "Sessions remembered"),
            index_bytes: gauge(r, "prefix_index_bytes", "Estimated bytes of the prefix index"),
            bytes_per_token: {
                let metric = Gauge::default();
                r.register("bytes_per_token", "Bytes of prompt that make one token, as learned", metric.clone());
                metric
            },
            waiting_tokens: by_endpoint(r, "endpoint_waiting_tokens", "Tokens sent whose first byte has not come back"),
            in_flight: by_endpoint(r, "endpoint_in_flight", "Requests in flight"),
            blocks: by_endpoint(r, "endpoint_prefix_blocks", "Prefix blocks that the endpoint is taken to hold"),
            failure_share: by_endpoint(r, "endpoint_failure_share", "Share of recent requests that failed, 0 to 1"),
            endpoint_picks: {
                let counts = EndpointCounter::default();
                r.register("endpoint_picks", "Picks of the endpoint", counts.clone());
                counts
            },
            scrape_age: by_endpoint(r, "endpoint_scrape_age_seconds", "Seconds since the last good scrape"),
            kv_usage: by_endpoint(r, "endpoint_kv_usage", "Share of KV blocks that running requests hold, 0 to 1"),
            registry,
        }
    }

    /// The metrics page, in OpenMetrics text.
    pub fn render(&self) -> String {
        let mut page = String::new();
        // Writing into a string cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn by_endpoint(registry: &mut Registry, name: &str, help: &str) -> EndpointGauge {
    let gauges = EndpointGauge::default();
    registry.register(name, help, gauges.clone());
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_on_the_page_before_it_is_first_counted() {
        let page = Metrics::new().render();
        for line in [
            "homing_picks_total{reason=\"session\"} 0",
            "homing_streams_total{end=\"aborted\"} 0",
            "homing_refused_total{reason=\"body-too-large\"} 0",
        ] {
            assert!(page.contains(line), "{line} in {page}");
        }
    }

    #[test]
    fn a_counter_counts_its_own_label() {
        let metrics = Metrics::new();
        metrics.picks.of(Reason::Moved).inc();
        assert!(metrics.render().contains("homing_picks_total{reason=\"moved\"} 1"));
    }
}
