//! What an engine's queue holds that no booking of ours explains.

use parking_lot::Mutex;

/// One odd scrape must not move traffic: the least of so many scrapes counts.
const SCRAPES: usize = 3;

/// The unexplained part of the last scrapes; kept by the scraper's task, read through the load cell.
#[derive(Debug, Default)]
pub struct Foreign {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    waiting: [u32; SCRAPES],
    running: [u32; SCRAPES],
    count: usize,
}

impl Foreign {
    /// Takes in one scrape beside the most that was booked since the one before; returns the foreign
    /// requests that wait and that run, by the least of the last three scrapes.
    pub fn observe(&self, waiting: u32, running: u32, most_waiting: u32, most_in_flight: u32) -> (u32, u32) {
        let mut seen = self.seen.lock();
        let place = seen.count % SCRAPES;
        seen.waiting[place] = waiting.saturating_sub(most_waiting);
        seen.running[place] = running.saturating_sub(most_in_flight);
        seen.count += 1;
        if seen.count < SCRAPES {
            return (0, 0);
        }
        let least = |values: &[u32; SCRAPES]| values.iter().copied().min().unwrap_or(0);
        (least(&seen.waiting), least(&seen.running))
    }

    /// Forgets all: the engine restarted or has not answered for long.
    pub fn reset(&self) {
        *self.seen.lock() = Seen::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_three_scrapes_agree_on_is_foreign() {
        let foreign = Foreign::default();
        assert_eq!(foreign.observe(9, 4, 0, 0), (0, 0));
        assert_eq!(foreign.observe(5, 4, 0, 0), (0, 0));
        assert_eq!(foreign.observe(7, 2, 0, 0), (5, 2));
        assert_eq!(foreign.observe(0, 8, 0, 0), (0, 2));
    }

    #[test]
    fn what_we_booked_explains_what_we_see() {
        let foreign = Foreign::default();
        for _ in 0..3 {
            assert_eq!(foreign.observe(6, 10, 6, 16), (0, 0));
        }
    }
}
