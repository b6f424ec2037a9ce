//! When engines are asked for their metrics.
//!
//! While no engine has anything to do, each answer is that of before. So all but a few of those scrapes are left out,
//! and the one right before something happens is made: what the picker heard last is as new then as it would have been.

use std::time::Duration;

use crate::replay::Seconds;

/// After so many equal answers a picker hears nothing new: it believes nothing before three agree.
const ENOUGH: u32 = 4;

/// The times of the scrapes.
#[derive(Clone, Copy, Debug)]
pub struct Scrapes {
    next: Seconds,
    interval: Seconds,
    /// Scrapes since something happened.
    since: u32,
}

impl Scrapes {
    /// One in each `interval`, the first at once: engines are asked as soon as they are found.
    pub fn new(interval: Option<Duration>) -> Self {
        let (next, interval) = interval.map_or((Seconds::INFINITY, 1.0), |interval| (0.0, interval.as_secs_f64()));
        Self { next, interval, since: 0 }
    }

    /// When the next is made; infinity where none is.
    pub fn next(&self) -> Seconds {
        self.next
    }

    /// The next is made.
    pub fn take(&mut self) -> Seconds {
        self.since = self.since.saturating_add(1);
        let now = self.next;
        self.next += self.interval;
        now
    }

    /// Something happened that engines will tell of.
    pub fn wake(&mut self) {
        self.since = 0;
    }

    /// No engine has anything to do, and nothing happens before `until`.
    pub fn skip_to(&mut self, until: Seconds) {
        let between = ((until - self.next) / self.interval).floor();
        if self.since >= ENOUGH && between >= 1.0 && between.is_finite() {
            self.next += between * self.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times of all scrapes up to `until`.
    fn until(scrapes: &mut Scrapes, until: Seconds) -> Vec<Seconds> {
        let mut taken = Vec::new();
        scrapes.wake();
        loop {
            scrapes.skip_to(until);
            if scrapes.next() > until {
                return taken;
            }
            taken.push(scrapes.take());
        }
    }

    #[test]
    fn a_long_silence_is_heard_a_few_times_and_again_at_its_end() {
        let mut scrapes = Scrapes::new(Some(Duration::from_secs(2)));
        assert_eq!(until(&mut scrapes, 5.0), [0.0, 2.0, 4.0]);
        assert_eq!(until(&mut scrapes, 1e9 + 1.0), [6.0, 8.0, 10.0, 12.0, 1e9]);
        assert_eq!(until(&mut scrapes, 1e9 + 5.0), [1e9 + 2.0, 1e9 + 4.0]);
    }

    #[test]
    fn who_asks_nobody_does_not_begin_to() {
        let mut scrapes = Scrapes::new(None);
        assert_eq!(until(&mut scrapes, 1e9), [0.0; 0]);
    }
}
