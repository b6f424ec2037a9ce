//! The last decisions by number, for `homing explain` and the admin port.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::model::Decision;

/// A ring of the last decisions, numbered from 0. Whoever follows it does so by asking for numbers: nothing here knows
/// of them.
#[derive(Debug)]
pub struct DecisionLog {
    ring: Box<[Slot]>,
    next: AtomicU64,
}

/// A place in the ring: the number of the decision in it, and that decision. Its lock is held for as long as it takes to
/// copy or to replace a pointer.
#[derive(Debug, Default)]
struct Slot(Mutex<Option<(u64, Arc<Decision>)>>);

// === impl DecisionLog ===

impl DecisionLog {
    /// Keeps the last `capacity` decisions; at least one.
    pub fn new(capacity: usize) -> Self {
        Self { ring: (0..capacity.max(1)).map(|_| Slot::default()).collect(), next: AtomicU64::new(0) }
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
    /// Gives up where a newer one is there already: then a thread stood still while the whole ring went round, and one
    /// explanation is lost.
    fn write(&self, number: u64, decision: Arc<Decision>) {
        let mut held = self.0.lock();
        let before = if held.as_ref().is_none_or(|(older, _)| *older < number) {
            held.replace((number, decision))
        } else {
            None
        };
        // What it held is freed after it is unlocked.
        drop(held);
        drop(before);
    }

    fn read(&self, number: u64) -> Option<Arc<Decision>> {
        self.0.lock().as_ref().filter(|(held, _)| *held == number).map(|(_, decision)| Arc::clone(decision))
    }
}

#[cfg(test)]
mod tests;
