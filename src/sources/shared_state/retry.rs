//! How long to wait before a failed connection is tried again.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(100);
/// A server that is back is found again in about this time.
const LAST: Duration = Duration::from_secs(2);

/// Grows with each failure, and differs between replicas, so that they do not all come at once.
#[derive(Debug)]
pub struct Retry(Duration);

impl Default for Retry {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Retry {
    /// The next wait.
    pub fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LAST);
        wait.mul_f64(rand::rng().random_range(0.5..1.0))
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.0 = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_again() {
        let mut retry = Retry::default();
        let waits: Vec<_> = (0..9).map(|_| retry.next()).collect();
        assert!(waits[0] <= FIRST && waits[8] <= LAST && waits[8] >= LAST / 2, "{waits:?}");
        retry.reset();
        assert!(retry.next() <= FIRST);
    }
}
