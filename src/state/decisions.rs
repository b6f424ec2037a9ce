//! The last decisions by number, for `homing explain` and the admin port.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use arc_swap::ArcSwapOption;

use crate::model::Decision;

/// A ring of the last decisions, numbered from 0. Writers never wait for readers or each other, and whoever
/// follows it does so by asking for numbers: nothing here knows of them.
#[derive(Debug)]
pub struct DecisionLog {
    ring: Box<[Slot]>,
    next: AtomicU64,
}

/// A place in the ring.
#[derive(Debug)]
struct Slot {
    /// Twice one more than the number of the decision in it; odd while that is being written. Only ever grows.
    stamp: AtomicU64,
    decision: ArcSwapOption<Decision>,
}

// === impl DecisionLog ===

impl DecisionLog {
    /// Keeps the last `capacity` decisions; at least one.
    pub fn new(capacity: usize) -> Self {
        let slot = || Slot { stamp: AtomicU64::new(0), decision: ArcSwapOption::empty() };
        Self { ring: (0..capacity.max(1)).map(|_| slot()).collect(), next: AtomicU64::new(0) }
    }

    /// Adds one and returns its number.
    pub fn push(&self, decision: Arc<Decision>) -> u64 {
        let number = self.next.fetch_add(1, Relaxed);
        self.slot(number).write(number, decision);
        number
    }

    /// The numbers of what is kept; the end is the number of the next decision.
    pub fn kept(&self) -> Range<u64> {
        let next = self.next.load(Relaxed);
        next.saturating_sub(self.ring.len() as u64)..next
    }

    /// The decision of that number; none where it is not kept any more, or is still being written.
    pub fn get(&self, number: u64) -> Option<Arc<Decision>> {
        self.slot(number).read(number)
    }

    /// The newest `limit`, newest first.
    pub fn recent(&self, limit: usize) -> Vec<Arc<Decision>> {
        self.kept().rev().take(limit).filter_map(|number| self.get(number)).collect()
    }

    fn slot(&self, number: u64) -> &Slot {
        &self.ring[(number % self.ring.len() as u64) as usize]
    }
}

// === impl Slot ===

impl Slot {
    /// Gives up where another has the slot, or had it later: then a thread stood still while the whole ring went
    /// round, and one explanation is lost.
    fn write(&self, number: u64, decision: Arc<Decision>) {
        let (seen, done) = (self.stamp.load(Relaxed), 2 * (number + 1));
        let free = seen.is_multiple_of(2) && seen < done;
        if free && self.stamp.compare_exchange(seen, done - 1, Acquire, Relaxed).is_ok() {
            self.decision.store(Some(decision));
            self.stamp.store(done, Release);
        }
    }

    fn read(&self, number: u64) -> Option<Arc<Decision>> {
        let holds_it = || self.stamp.load(Acquire) == 2 * (number + 1);
        // The same stamp before and after: nobody wrote in between. The load is an acquire, so that what is
        // looked at after it was not looked at before.
        holds_it().then(|| self.decision.load_full())?.filter(|_| holds_it())
    }
}

#[cfg(test)]
mod tests;
