//! The last decisions, for `homing explain` and the admin port.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

use crate::model::Decision;

/// A ring of the last decisions; writers never wait for readers or each other.
#[derive(Debug)]
pub struct DecisionLog {
    ring: Box<[ArcSwapOption<Decision>]>,
    next: AtomicUsize,
}

impl DecisionLog {
    /// Keeps the last `capacity` decisions; at least one.
    pub fn new(capacity: usize) -> Self {
        Self { ring: (0..capacity.max(1)).map(|_| ArcSwapOption::empty()).collect(), next: AtomicUsize::new(0) }
    }

    /// Adds one.
    pub fn push(&self, decision: Arc<Decision>) {
        let place = self.next.fetch_add(1, Relaxed) % self.ring.len();
        self.ring[place].store(Some(decision));
    }

    /// The newest `limit`, newest first.
    pub fn recent(&self, limit: usize) -> Vec<Arc<Decision>> {
        let next = self.next.load(Relaxed);
        let kept = next.min(self.ring.len()).min(limit);
        (1..=kept).filter_map(|back| self.ring[(next - back) % self.ring.len()].load_full()).collect()
    }
}
