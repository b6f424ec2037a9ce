//! How far back the log reaches: as many of the newest entries as fit into a number of bytes.

use std::collections::VecDeque;

/// What an entry takes in the server beside its bytes, measured with Valkey 9.1 and entries of 200 bytes to 4 KB.
const OVERHEAD: u64 = 100;

/// Counts entries by the second in which they were written.
#[derive(Debug)]
pub struct Window {
    limit: u64,
    seconds: VecDeque<Second>,
    bytes: u64,
}

#[derive(Debug)]
struct Second {
    /// By the server's clock.
    number: u64,
    bytes: u64,
}

impl Window {
    /// For a log of up to `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, seconds: VecDeque::new(), bytes: 0 }
    }

    /// An entry of so many bytes was written at this millisecond of the server's clock. Entries come in their order; one
    /// that does not counts with the newest.
    pub fn note(&mut self, millis: u64, bytes: usize) {
        let bytes = bytes as u64 + OVERHEAD;
        self.bytes += bytes;
        let number = millis / 1000;
        match self.seconds.back_mut().filter(|last| last.number >= number) {
            Some(last) => last.bytes += bytes,
            None => self.seconds.push_back(Second { number, bytes }),
        }
        // The second that is written now always stays.
        while self.bytes > self.limit && self.seconds.len() > 1 {
            self.bytes -= self.seconds.pop_front().map_or(0, |second| second.bytes);
        }
    }

    /// The log is another one, and empty.
    pub fn clear(&mut self) {
        (self.seconds, self.bytes) = (VecDeque::new(), 0);
    }

    /// The millisecond from which on entries stay; 0 as long as none has to go.
    pub fn begins(&self) -> u64 {
        self.seconds.front().map_or(0, |first| first.number * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_go_once_more_is_written_than_fits() {
        let mut window = Window::new(1_000);
        assert_eq!(window.begins(), 0);
        let begins = [(5_000, 300), (5_999, 100), (6_000, 200), (7_100, 50), (7_200, 50), (8_000, 900), (9_000, 5_000)]
            .map(|(millis, bytes)| {
                window.note(millis, bytes);
                window.begins()
            });
        assert_eq!(begins, [5_000, 5_000, 5_000, 6_000, 6_000, 8_000, 9_000]);
        window.note(10_000, 1);
        assert_eq!(window.begins(), 10_000);
        window.clear();
        assert_eq!((window.begins(), window.bytes), (0, 0));
    }

    #[test]
    fn a_clock_that_goes_back_counts_with_the_newest() {
        let mut window = Window::new(500);
        [9_000, 2_000, 9_500].iter().for_each(|millis| window.note(*millis, 10));
        assert_eq!((window.seconds.len(), window.bytes), (1, 330));
    }
}
