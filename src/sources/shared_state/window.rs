//! How far back the log reaches: as many of the newest entries as fit into a number of bytes.

use std::collections::VecDeque;
use std::time::Duration;

use super::id::Id;

/// What an entry takes in the server beside its bytes, about.
const OVERHEAD: u64 = 100;
/// The log is trimmed by such a part of what it may hold.
const CHUNKS: u64 = 64;

/// Counts entries by chunks of some hundred kilobytes.
#[derive(Debug)]
pub struct Window {
    limit: u64,
    chunks: VecDeque<Chunk>,
    bytes: u64,
    newest: Id,
    /// Whether something had to go.
    is_full: bool,
}

#[derive(Debug)]
struct Chunk {
    first: Id,
    bytes: u64,
}

impl Window {
    /// For a log of up to `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, chunks: VecDeque::new(), bytes: 0, newest: Id::default(), is_full: false }
    }

    /// An entry of so many bytes is there. Entries come in their order.
    pub fn note(&mut self, id: Id, bytes: usize) {
        let bytes = bytes as u64 + OVERHEAD;
        self.bytes += bytes;
        self.newest = id;
        match self.chunks.back_mut().filter(|last| last.bytes < self.limit / CHUNKS) {
            Some(last) => last.bytes += bytes,
            None => self.chunks.push_back(Chunk { first: id, bytes }),
        }
        // What is written now always stays.
        while self.bytes > self.limit && self.chunks.len() > 1 {
            self.bytes -= self.chunks.pop_front().map_or(0, |chunk| chunk.bytes);
            self.is_full = true;
        }
    }

    /// The log begins with this entry, or is empty: what was counted before that is gone, whoever let it go. Returns
    /// whether that is so much that others would miss it: replicas do not trim to the entry alike.
    pub fn starts_at(&mut self, first: Option<Id>) -> bool {
        let Some(oldest) = self.chunks.front().map(|chunk| chunk.first) else { return false };
        let Some(first) = first.filter(|first| *first <= self.newest) else {
            *self = Self::new(self.limit);
            return true;
        };
        while self.chunks.get(1).is_some_and(|second| second.first <= first) {
            self.bytes -= self.chunks.pop_front().map_or(0, |chunk| chunk.bytes);
        }
        if let Some(front) = self.chunks.front_mut() {
            front.first = front.first.max(first);
        }
        let span = self.newest.millis.saturating_sub(oldest.millis);
        first.millis.saturating_sub(oldest.millis) > span / 8
    }

    /// The first entry that stays, once others had to go.
    pub fn begins(&self) -> Option<Id> {
        self.chunks.front().filter(|_| self.is_full).map(|first| first.first)
    }

    /// How long ago the first entry that stays was written when the last one was, once others had to go.
    pub fn reach(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.newest.millis.saturating_sub(self.begins()?.millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: u64, number: u64) -> Id {
        Id { millis, number }
    }

    #[test]
    fn the_oldest_go_once_more_is_written_than_fits() {
        let mut window = Window::new(6_400);
        (0..6).for_each(|number| window.note(id(1_000 * number, 0), 900));
        assert_eq!((window.begins(), window.reach()), (None, None), "all of it fits");
        window.note(id(6_000, 0), 900);
        assert_eq!((window.begins(), window.reach()), (Some(id(1_000, 0)), Some(Duration::from_secs(5))));
        window.note(id(7_000, 0), 60_000);
        assert_eq!((window.begins(), window.bytes), (Some(id(7_000, 0)), 60_100), "what is written now stays");
        assert!(window.starts_at(None));
        assert_eq!((window.begins(), window.bytes), (None, 0));
    }

    #[test]
    fn what_others_let_go_is_not_counted_and_seen_where_it_is_much() {
        let mut window = Window::new(64_000);
        assert!(!window.starts_at(None), "nothing was there");
        (0..32).for_each(|number| window.note(id(1_000 * number, 0), 900));
        assert_eq!(
            [0, 2_000, 2_000, 20_500].map(|millis| window.starts_at(Some(id(millis, 0)))),
            [false, false, false, true]
        );
        assert_eq!((window.bytes, window.begins()), (12_000, None));
        assert!(window.starts_at(Some(id(90_000, 0))), "all that was counted is gone");
        assert_eq!(window.bytes, 0);
    }

    #[test]
    fn a_servers_clock_that_stands_still_keeps_nothing_longer() {
        let mut window = Window::new(6_400);
        (0..500).for_each(|number| window.note(id(9_000, number), 900));
        assert_eq!(window.begins(), Some(id(9_000, 494)));
        assert!(window.bytes <= 6_400);
    }
}
