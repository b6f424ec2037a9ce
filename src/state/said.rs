//! What an engine said of itself last, for people; picks do not read it.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::{EngineKind, EngineReport};

/// The last words of one engine.
#[derive(Debug, Default)]
pub struct LastSaid {
    said: Mutex<Said>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    at: Option<Instant>,
    engine: Option<EngineKind>,
    kv_usage: Option<f64>,
}

impl LastSaid {
    /// Takes in a report that is as new as `at`.
    pub fn heard(&self, report: &EngineReport, at: Instant) {
        *self.said.lock() = Said { at: Some(at), engine: report.engine, kv_usage: report.kv_usage };
    }

    /// What it said is stale: only who it is and how long ago it spoke stay.
    pub fn grow_old(&self) {
        self.said.lock().kv_usage = None;
    }

    /// It is not asked any more.
    pub fn forget(&self) {
        *self.said.lock() = Said::default();
    }

    /// Time since it last spoke; `None` if it never did.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.said.lock().at.map(|at| now.saturating_duration_since(at))
    }

    /// Which engine it is, where it said.
    pub fn engine(&self) -> Option<EngineKind> {
        self.said.lock().engine
    }

    /// Share of its KV blocks that running requests hold, 0 to 1, while that is known.
    pub fn kv_usage(&self) -> Option<f64> {
        self.said.lock().kv_usage
    }
}
