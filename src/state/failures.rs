//! Fast failure is not an empty queue: how much an endpoint has failed of late.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A failure counts half after this long.
const HALF_LIFE: Duration = Duration::from_secs(10);
/// So many answers from before a first failure count: one failure among many is then a sixth, and an endpoint
/// that fails after a long good life loses its sessions within ten requests.
const REMEMBERED_ANSWERS: u32 = 4;
/// Successes that every endpoint is credited with, so that a share fades when nothing is sent there.
const PRIOR_SUCCESSES: f64 = 1.0;
/// So many connection failures in a row mean that a session's home is gone.
const GONE_AFTER: u32 = 3;
/// A share below this is forgotten.
const FORGOTTEN: f64 = 0.01;

/// How a request ended, as far as its endpoint is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, with whatever status below 500.
    Answered,
    /// It answered with 5xx.
    Failed,
    /// The gateway got no answer from it, or went to another endpoint with the request.
    Unreachable,
}

/// Decaying counts of one endpoint's outcomes.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Failures {
    /// Lets a pick pass by without the lock while all is well, and so comes first.
    troubled: AtomicBool,
    /// Answers while all was well, up to [`REMEMBERED_ANSWERS`].
    answers: AtomicU32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    failed: f64,
    total: f64,
    unreachable_in_a_row: u32,
    at: Option<Instant>,
}

impl Failures {
    /// Counts one outcome.
    pub fn count(&self, outcome: Outcome, now: Instant) {
        if outcome == Outcome::Answered && !self.troubled.load(Relaxed) {
            if self.answers.load(Relaxed) < REMEMBERED_ANSWERS {
                self.answers.fetch_add(1, Relaxed);
            }
            return;
        }
        let mut counts = self.counts.lock();
        counts.decay(now);
        counts.total += 1.0 + f64::from(self.answers.swap(0, Relaxed));
        match outcome {
            Outcome::Answered => counts.unreachable_in_a_row = 0,
            Outcome::Failed => {
                counts.failed += 1.0;
                counts.unreachable_in_a_row = 0;
            }
            Outcome::Unreachable => {
                counts.failed += 1.0;
                counts.unreachable_in_a_row += 1;
            }
        }
        self.troubled.store(counts.is_troubled(), Relaxed);
    }

    /// Share of recent requests that failed, 0 to 1.
    pub fn share(&self, now: Instant) -> f64 {
        if !self.troubled.load(Relaxed) {
            return 0.0;
        }
        let mut counts = self.counts.lock();
        counts.decay(now);
        self.troubled.store(counts.is_troubled(), Relaxed);
        counts.share()
    }

    /// Whether it could not be reached three times in a row, with no success since.
    pub fn is_gone(&self) -> bool {
        self.troubled.load(Relaxed) && self.counts.lock().unreachable_in_a_row >= GONE_AFTER
    }
}

impl Counts {
    fn decay(&mut self, now: Instant) {
        if let Some(at) = self.at {
            let halves = now.saturating_duration_since(at).as_secs_f64() / HALF_LIFE.as_secs_f64();
            let kept = 0.5f64.powf(halves);
            self.failed *= kept;
            self.total *= kept;
        }
        self.at = Some(now);
    }

    fn share(&self) -> f64 {
        self.failed / (self.total + PRIOR_SUCCESSES)
    }

    fn is_troubled(&self) -> bool {
        self.share() > FORGOTTEN || self.unreachable_in_a_row >= GONE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_rises_with_failures_and_fades_with_time() {
        let failures = Failures::default();
        let start = Instant::now();
        for _ in 0..9 {
            failures.count(Outcome::Failed, start);
        }
        assert!((failures.share(start) - 0.9).abs() < 1e-9);
        assert!(failures.share(start + HALF_LIFE * 4) < 0.4);
        assert!(failures.share(start + HALF_LIFE * 40) < FORGOTTEN);
        assert_eq!(failures.share(start + HALF_LIFE * 41), 0.0, "and is then forgotten");
    }

    #[test]
    fn one_failure_among_many_answers_is_a_sixth_and_ten_are_nearly_all() {
        let failures = Failures::default();
        let now = Instant::now();
        (0..1000).for_each(|_| failures.count(Outcome::Answered, now));
        failures.count(Outcome::Failed, now);
        assert!(failures.share(now) < 0.17);
        (0..20).for_each(|_| failures.count(Outcome::Failed, now));
        assert!(failures.share(now) > 0.8);
    }

    #[test]
    fn three_connection_failures_in_a_row_mean_gone_until_one_success() {
        let failures = Failures::default();
        let now = Instant::now();
        for outcome in [Outcome::Unreachable, Outcome::Unreachable] {
            failures.count(outcome, now);
        }
        assert!(!failures.is_gone());
        failures.count(Outcome::Unreachable, now);
        assert!(failures.is_gone());
        assert!(failures.share(now + HALF_LIFE * 40) < FORGOTTEN);
        assert!(failures.is_gone(), "time alone brings no home back");
        failures.count(Outcome::Answered, now + HALF_LIFE * 40);
        assert!(!failures.is_gone());
    }

    #[test]
    fn answers_alone_leave_no_trace() {
        let failures = Failures::default();
        let now = Instant::now();
        failures.count(Outcome::Answered, now);
        assert_eq!(failures.share(now), 0.0);
    }
}
