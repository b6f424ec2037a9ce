//! What replicas tell each other, counted.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Counters, counter, gauge};

/// Why the shared state cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingFailure {
    /// There is no connection.
    Unreachable,
    /// There is one, and no answer in time.
    Timeout,
    /// The user or the password is wrong, or may not do this.
    Login,
    /// It takes no writes: a replica, or a server that protects itself.
    ReadOnly,
    /// Its memory is full.
    OutOfMemory,
    /// The key is somebody else's.
    WrongType,
    /// It is loading, or a cluster without its nodes.
    NotReady,
    /// A file that is needed to connect cannot be read.
    File,
    /// Anything else that it says.
    Other,
}

impl SharingFailure {
    /// Every one, in the order of `docs/metrics.md`.
    pub const ALL: [Self; 9] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Login,
        Self::ReadOnly,
        Self::OutOfMemory,
        Self::WrongType,
        Self::NotReady,
        Self::File,
        Self::Other,
    ];

    /// The word in the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Login => "login",
            Self::ReadOnly => "read-only",
            Self::OutOfMemory => "out-of-memory",
            Self::WrongType => "wrong-type",
            Self::NotReady => "not-ready",
            Self::File => "file",
            Self::Other => "other",
        }
    }

    /// What to do about it; empty where what the server said is enough.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Login => "see --shared-state-password-file and the user in --shared-state",
            Self::ReadOnly => "name the primary in --shared-state, or its sentinels",
            Self::OutOfMemory => "raise its maxmemory, or lower --shared-state-log",
            Self::WrongType => "the key belongs to somebody else: choose another database or --state-group",
            _ => "",
        }
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this replica.
    Sent,
    /// From another one.
    Received,
}

/// Handles for the exchange between replicas.
#[derive(Debug)]
pub struct SharingMetrics {
    /// 1 while this replica can both write and read; 0 otherwise; nothing where nothing is shared.
    pub connected: Family<[(&'static str, &'static str); 0], Gauge>,
    /// Other replicas that are not silent.
    pub replicas: Gauge,
    /// Seconds since each other replica was last heard, by its name.
    pub replica_age: Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>>,
    /// Messages.
    pub messages: Counters<Direction>,
    /// Their bytes.
    pub bytes: Counters<Direction>,
    /// Messages that could not be understood, or came from nowhere that can be believed.
    pub refused: Counter,
    /// News that were dropped because they could not be sent in time.
    pub dropped: Counter,
    /// How often all was told again.
    pub told_again: Counter,
    /// Failures to reach the shared state.
    pub failures: Counters<SharingFailure>,
    /// Seconds from a pick elsewhere until it was known here.
    pub lag: Histogram,
}

impl SharingMetrics {
    /// Makes and registers every handle.
    pub fn new(registry: &mut Registry) -> Self {
        let r = registry.sub_registry_with_prefix("shared_state");
        let directions = [(Direction::Sent, "sent"), (Direction::Received, "received")];
        Self {
            connected: {
                let metric = Family::default();
                r.register("connected", "Whether the shared state can be written and read", metric.clone());
                metric
            },
            replicas: gauge(r, "replicas", "Other replicas that are not silent"),
            replica_age: {
                let metric = Family::default();
                r.register("replica_age_seconds", "Seconds since another replica was last heard", metric.clone());
                metric
            },
            messages: Counters::new(r, "messages", "Messages between replicas", "direction", &directions),
            bytes: Counters::new(r, "bytes", "Bytes of messages between replicas", "direction", &directions),
            refused: counter(r, "refused", "Messages that were not understood or not believed"),
            dropped: counter(r, "dropped", "News that were dropped because they could not be sent in time"),
            told_again: counter(
                r,
                "told_again",
                "How often all was told again: others lacked something, or the log has lost what who joins needs",
            ),
            failures: Counters::new(
                r,
                "failures",
                "Failures to reach the shared state, by reason",
                "reason",
                &SharingFailure::ALL.map(|it| (it, it.as_str())),
            ),
            lag: {
                // From a fifth of the usual interval to what only a backlog takes.
                let bounds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0];
                let metric = Histogram::new(bounds);
                r.register("lag_seconds", "Seconds from a pick elsewhere until it is known here", metric.clone());
                metric
            },
        }
    }
}
