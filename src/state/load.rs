//! The load of one endpoint: a cell of atomics that survives pool snapshots.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::model::{Adapter, EngineReport};

use super::adapters::LoadedAdapters;
use super::average::Average;
use super::failures::{Failures, Outcome};
use super::foreign::Foreign;
use super::others::{Others, Sent};
use super::said::LastSaid;

/// Prefill speed until an endpoint has shown its own, in tokens per second.
const FIRST_PREFILL_SPEED: f64 = 10_000.0;
/// One sample in ten: an engine's speed changes with its load, within seconds.
const SPEED_SHARE: f64 = 0.1;
/// Below so many uncached tokens the time to first byte says more about the network than about prefill.
const TELLING_TOKENS: f64 = 1024.0;
/// No engine computes more tokens in a second: a queue that is nonsense, as others told it, teaches no more than that.
const FASTEST: f64 = 10_000_000.0;

/// After so many scrapes in a row without an answer, what the engine said before is stale.
const STALE_AFTER: u32 = 3;

/// Bookings, failures and learned speed of one endpoint, and what its engine says of itself.
///
/// What each pick reads of each endpoint comes first and lies together: in a pool of thousands every cache line counts.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct LoadCell {
    waiting_tokens: AtomicU64,
    others: Others,
    in_flight: AtomicU32,
    foreign_waiting: AtomicU32,
    foreign_running: AtomicU32,
    failures: Failures,
    picks: AtomicU64,
    waiting_requests: AtomicU32,
    most_waiting_requests: AtomicU32,
    most_in_flight: AtomicU32,
    missed: AtomicU32,
    foreign: Foreign,
    said: LastSaid,
    adapters: LoadedAdapters,
    prefill_speed: Average,
}

impl Default for LoadCell {
    fn default() -> Self {
        Self {
            picks: AtomicU64::new(0),
            waiting_tokens: AtomicU64::new(0),
            waiting_requests: AtomicU32::new(0),
            most_waiting_requests: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            most_in_flight: AtomicU32::new(0),
            others: Others::default(),
            foreign: Foreign::default(),
            foreign_waiting: AtomicU32::new(0),
            foreign_running: AtomicU32::new(0),
            missed: AtomicU32::new(0),
            said: LastSaid::default(),
            adapters: LoadedAdapters::default(),
            prefill_speed: Average::new(FIRST_PREFILL_SPEED, SPEED_SHARE),
            failures: Failures::default(),
        }
    }
}

impl LoadCell {
    /// Counts a pick, of a request with this LoRA adapter; returns whether the adapter is new there.
    pub fn picked(&self, adapter: Option<Adapter>) -> bool {
        self.picks.fetch_add(1, Relaxed);
        adapter.is_some_and(|adapter| self.adapters.picked(adapter))
    }

    /// Picks so far.
    pub fn picks(&self) -> u64 {
        self.picks.load(Relaxed)
    }

    /// The LoRA adapters that it is taken to have loaded.
    pub fn adapters(&self) -> &LoadedAdapters {
        &self.adapters
    }

    /// What its engine said last.
    pub fn said(&self) -> &LastSaid {
        &self.said
    }

    /// Tokens that we sent there and whose first byte has not come back.
    pub fn booked_tokens(&self) -> u64 {
        self.waiting_tokens.load(Relaxed)
    }

    /// Requests that we have in flight there.
    pub fn booked_requests(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// What we sent there and is not over yet: what the other replicas are told.
    pub fn sent(&self) -> Sent {
        Sent {
            waiting_tokens: self.booked_tokens(),
            waiting_requests: self.waiting_requests.load(Relaxed),
            in_flight: self.booked_requests(),
        }
    }

    /// The other replicas together have sent this there.
    pub fn others_sent(&self, sent: Sent) {
        self.others.set(sent);
        self.note_most_waiting(self.waiting_requests.load(Relaxed));
        self.note_most_in_flight(self.booked_requests());
    }

    /// Q: tokens booked by all replicas, and what strangers made wait there at `mean_uncached` tokens a request.
    pub fn waiting_tokens(&self, mean_uncached: f64) -> f64 {
        self.booked_tokens().saturating_add(self.others.waiting_tokens()) as f64
            + f64::from(self.foreign_waiting.load(Relaxed)) * mean_uncached
    }

    /// n: the requests of all replicas in flight, and what strangers run there.
    pub fn in_flight(&self) -> u32 {
        let booked = self.booked_requests().saturating_add(self.others.in_flight());
        booked.saturating_add(self.foreign_running.load(Relaxed))
    }

    /// Prefill speed in tokens per second.
    pub fn prefill_speed(&self) -> f64 {
        self.prefill_speed.get().max(1.0)
    }

    /// Share of recent requests that failed, 0 to 1.
    pub fn failure_share(&self, now: Instant) -> f64 {
        self.failures.share(now)
    }

    /// Whether its sessions should treat it as gone.
    pub fn is_gone(&self) -> bool {
        self.failures.is_gone()
    }

    /// Counts how a request ended.
    pub fn count(&self, outcome: Outcome, now: Instant) {
        self.failures.count(outcome, now);
    }

    /// Learns the prefill speed: `tokens`, queued and own, took `time` to the first byte.
    pub fn learn_speed(&self, tokens: f64, own_tokens: f64, time: Duration) {
        if own_tokens >= TELLING_TOKENS && !time.is_zero() {
            self.prefill_speed.sample((tokens / time.as_secs_f64()).min(FASTEST));
        }
    }

    /// Corrects the load by what the engine says of itself; the report is as new as `at`.
    pub fn observe(&self, report: &EngineReport, at: Instant) {
        self.missed.store(0, Relaxed);
        self.said.heard(report, at);
        if let Some(adapters) = &report.adapters {
            self.adapters.reported(adapters);
        }
        let most_waiting = self.most_waiting_requests.swap(0, Relaxed);
        let most_in_flight = self.most_in_flight.swap(0, Relaxed);
        self.note_most_waiting(self.waiting_requests.load(Relaxed));
        self.note_most_in_flight(self.booked_requests());
        let (waiting, running) = self.foreign.observe(
            report.waiting.unwrap_or(0),
            report.running.unwrap_or(0),
            most_waiting,
            most_in_flight,
        );
        self.foreign_waiting.store(waiting, Relaxed);
        self.foreign_running.store(running, Relaxed);
    }

    /// The engine said nothing; after a few times of it, our own bookings are all that counts.
    pub fn missed_report(&self) {
        if self.missed.fetch_add(1, Relaxed) + 1 < STALE_AFTER {
            return;
        }
        self.said.grow_old();
        self.forget_foreign();
    }

    /// The engine is another process now: what the last one had is gone.
    pub fn restarted(&self) {
        self.adapters.clear();
        self.forget_foreign();
    }

    /// The engine is not asked any more: our own bookings are all that counts.
    pub fn not_asked(&self) {
        self.said.forget();
        self.adapters.clear();
        self.forget_foreign();
    }

    /// What others made wait there is gone or not known any more.
    fn forget_foreign(&self) {
        self.foreign.reset();
        self.foreign_waiting.store(0, Relaxed);
        self.foreign_running.store(0, Relaxed);
    }

    pub(super) fn book(&self, tokens: u64) {
        self.waiting_tokens.fetch_add(tokens, Relaxed);
        self.note_most_waiting(self.waiting_requests.fetch_add(1, Relaxed) + 1);
        self.note_most_in_flight(self.in_flight.fetch_add(1, Relaxed) + 1);
    }

    /// So many of our requests wait there, beside those of the others: all that explains an engine's queue.
    fn note_most_waiting(&self, own: u32) {
        self.most_waiting_requests.fetch_max(own.saturating_add(self.others.waiting_requests()), Relaxed);
    }

    fn note_most_in_flight(&self, own: u32) {
        self.most_in_flight.fetch_max(own.saturating_add(self.others.in_flight()), Relaxed);
    }

    pub(super) fn release_waiting(&self, tokens: u64) {
        self.waiting_tokens.fetch_sub(tokens, Relaxed);
        self.waiting_requests.fetch_sub(1, Relaxed);
    }

    pub(super) fn release(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }
}
