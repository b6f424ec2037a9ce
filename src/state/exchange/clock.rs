//! A clock on which replicas agree who wrote last, though their wall clocks differ.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that is further ahead than this is broken; to follow it would make ours win every race from then on.
const FURTHEST_AHEAD_MILLIS: u64 = 60_000;

/// When something was written, and by whom; the greater one wins. The default is before all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Milliseconds, more or less.
    pub clock: u64,
    /// The lower half of the writer's number, for writes of one moment.
    pub writer: u32,
}

/// Never behind the wall, and always after all that it has seen.
#[derive(Debug, Default)]
pub struct HybridClock {
    highest: AtomicU64,
}

impl HybridClock {
    /// A clock for something that is written now.
    pub fn tick(&self, wall: SystemTime) -> u64 {
        let wall = wall_millis(wall);
        let next = |seen: u64| wall.max(seen.saturating_add(1));
        let seen = self.highest.fetch_update(Relaxed, Relaxed, |seen| Some(next(seen)));
        next(seen.unwrap_or_default())
    }

    /// Takes in another's clock; returns whether it can be believed.
    pub fn sees(&self, clock: u64, wall: SystemTime) -> bool {
        let believed = is_believed(clock, wall);
        if believed {
            self.highest.fetch_max(clock, Relaxed);
        }
        believed
    }
}

/// Whether another's clock may show this: it is not far ahead of ours.
pub fn is_believed(clock: u64, wall: SystemTime) -> bool {
    clock <= wall_millis(wall).saturating_add(FURTHEST_AHEAD_MILLIS)
}

/// Milliseconds since 1970; 0 before.
pub fn wall_millis(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn it_follows_the_wall_and_never_goes_back_or_stands() {
        let clock = HybridClock::default();
        assert_eq!([5_000, 5_000, 4_000, 9_000].map(|wall| clock.tick(at(wall))), [5_000, 5_001, 5_002, 9_000]);
    }

    #[test]
    fn what_is_written_after_something_seen_is_later_than_it() {
        let clock = HybridClock::default();
        assert!(clock.sees(50_000, at(1_000)));
        assert_eq!(clock.tick(at(1_000)), 50_001);
    }

    #[test]
    fn a_clock_more_than_a_minute_ahead_is_not_followed() {
        let clock = HybridClock::default();
        assert!(clock.sees(61_000, at(1_000)) && !clock.sees(61_001, at(1_000)) && !clock.sees(u64::MAX, at(1_000)));
        assert_eq!(clock.tick(at(1_000)), 61_001);
    }

    #[test]
    fn the_higher_clock_wins_and_then_the_higher_writer() {
        let stamp = |clock, writer| Stamp { clock, writer };
        assert!(stamp(2, 0) > stamp(1, 9) && stamp(1, 9) > stamp(1, 8));
    }
}
