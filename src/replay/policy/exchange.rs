//! When pickers tell each other what they know, and when it arrives: a store between them that takes its time.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::replay::Seconds;
use crate::state::SILENCE;

/// From a picker to the store, and again from the store to a picker: far more than a network of one zone takes, and
/// about what a busy one does.
pub const DELAY: Seconds = 0.002;

/// So long before something happens pickers talk again, where nothing happened for longer: more than it takes them to
/// believe each other gone and back.
const LEAD: Seconds = 2.0 * SILENCE.as_secs() as Seconds + 2.0;

/// The pickers take turns, because nothing makes real ones tell at the same moment.
pub struct Exchange {
    /// Time between two turns, of whichever picker.
    turn: Seconds,
    turns: u64,
    pickers: usize,
    on_their_way: VecDeque<Letter>,
}

/// What one picker told all others.
pub struct Letter {
    /// Who tells.
    pub from: usize,
    /// What.
    pub bytes: Rc<[u8]>,
    arrives: Seconds,
}

/// What happens next.
pub enum Step {
    /// This picker tells what is new.
    Tell(usize),
    /// This reaches all others.
    Deliver(Letter),
}

impl Exchange {
    /// So many pickers, each of which tells every `interval`.
    pub fn new(pickers: usize, interval: Duration) -> Self {
        let turn = interval.as_secs_f64() / pickers.max(1) as f64;
        Self { turn, turns: 0, pickers: pickers.max(1), on_their_way: VecDeque::new() }
    }

    /// When something happens next.
    pub fn next(&self) -> Seconds {
        self.on_their_way.front().map_or(Seconds::INFINITY, |letter| letter.arrives).min(self.next_turn())
    }

    /// What happens then.
    pub fn step(&mut self) -> Step {
        let turn = self.next_turn();
        if let Some(letter) = self.on_their_way.pop_front_if(|letter| letter.arrives <= turn) {
            return Step::Deliver(letter);
        }
        let picker = self.turns as usize % self.pickers;
        self.turns += 1;
        Step::Tell(picker)
    }

    /// A picker told something at `now`.
    pub fn send(&mut self, from: usize, bytes: Vec<u8>, now: Seconds) {
        self.on_their_way.push_back(Letter { from, bytes: bytes.into(), arrives: now + 2.0 * DELAY });
    }

    /// Nothing happens before `until`, so nobody has news: all rounds but those right before it are left out.
    pub fn skip_to(&mut self, until: Seconds) {
        let rounds = ((until - LEAD - self.next_turn()) / (self.turn * self.pickers as f64)).floor();
        if rounds >= 1.0 && rounds.is_finite() {
            self.turns += rounds as u64 * self.pickers as u64;
        }
    }

    fn next_turn(&self) -> Seconds {
        self.turns as f64 * self.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picker_tells_once_an_interval_and_what_it_told_arrives_after_both_ways() {
        let mut exchange = Exchange::new(2, Duration::from_millis(50));
        let mut seen = Vec::new();
        while seen.len() < 8 {
            let now = exchange.next();
            let millis = (now * 1000.0).round() as u64;
            match exchange.step() {
                Step::Tell(picker) => {
                    exchange.send(picker, vec![], now);
                    seen.push((millis, picker, "tells"));
                }
                Step::Deliver(letter) => seen.push((millis, letter.from, "is heard")),
            }
        }
        let round = [(0, 0, "tells"), (4, 0, "is heard"), (25, 1, "tells"), (29, 1, "is heard")];
        assert_eq!(seen, [round, round.map(|(at, picker, what)| (at + 50, picker, what))].concat());
    }

    #[test]
    fn a_long_silence_is_left_out_and_its_end_is_not() {
        let mut exchange = Exchange::new(4, Duration::from_millis(100));
        exchange.skip_to(1.0);
        assert_eq!(exchange.next(), 0.0);
        exchange.skip_to(1e9);
        assert!((1e9 - LEAD - 0.2..=1e9 - LEAD).contains(&exchange.next()), "{}", exchange.next());
        assert!(matches!(exchange.step(), Step::Tell(0)), "whose turn it was");
        exchange.skip_to(f64::INFINITY);
        assert!(exchange.next() < 1e9);
    }
}
