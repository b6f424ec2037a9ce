//! A bound on the bytes of all request bodies that wait for their pick.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::metrics::gauge::Gauge;

/// Bytes kept by all streams together.
#[derive(Debug, Default)]
pub struct Budget {
    used: AtomicU64,
    gauge: Gauge,
}

/// One stream's share; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    /// A budget that shows its use in `gauge`.
    pub fn new(gauge: Gauge) -> Self {
        Self { used: AtomicU64::new(0), gauge }
    }

    /// Begins a share of nothing.
    pub fn lease(self: &Arc<Self>) -> Lease {
        Lease { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Lease {
    /// Takes `bytes` more if all shares together stay within `limit`; asked before the bytes are kept.
    pub fn grow(&mut self, bytes: u64, limit: u64) -> bool {
        let budget = &self.budget;
        if budget.used.fetch_add(bytes, Relaxed) + bytes > limit {
            budget.used.fetch_sub(bytes, Relaxed);
            return false;
        }
        self.bytes += bytes;
        budget.gauge.inc_by(bytes as i64);
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
        self.budget.gauge.dec_by(self.bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_refused_over_the_limit_and_given_back_on_drop() {
        let budget = Arc::new(Budget::default());
        let mut first = budget.lease();
        assert!(first.grow(60, 100));
        let mut second = budget.lease();
        assert!(!second.grow(50, 100));
        assert!(second.grow(40, 100));
        drop(first);
        assert!(second.grow(60, 100));
        drop(second);
        assert_eq!(budget.used.load(Relaxed), 0);
    }
}
