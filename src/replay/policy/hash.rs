//! Hashing of sessions with bounded load: a session's engine, or the next that is not too busy.
//!
//! Where the trace names no session, what tells one conversation from others stands in for it: the first block of
//! the prompt that is not in all prompts.

use crate::replay::Seconds;
use crate::replay::engine::{Engine, Request};
use crate::replay::trace::Arrival;
use crate::routing::rendezvous;

use super::{Policy, Setting};

/// An engine may have so many times its share of all requests in flight.
const LOAD_BOUND: f64 = 1.25;

/// The policy.
#[derive(Debug)]
pub struct SessionHash {
    members: Vec<usize>,
    in_flight: Vec<u32>,
    /// Blocks that are in all prompts.
    shared: usize,
}

impl SessionHash {
    pub fn new(setting: &Setting<'_>) -> Self {
        Self { members: Vec::new(), in_flight: vec![0; setting.replicas], shared: setting.survey.shared.len() }
    }
}

impl Policy for SessionHash {
    fn pick(&mut self, arrival: &Arrival, _: &[Engine], _: Seconds) -> Option<usize> {
        let key = arrival.conversation(self.shared);
        let all: u32 = self.members.iter().map(|engine| self.in_flight[*engine]).sum();
        let bound = (LOAD_BOUND * f64::from(all + 1) / self.members.len() as f64).ceil();
        let has_room = |engine: &usize| f64::from(self.in_flight[*engine] + 1) <= bound;
        let score = |engine: usize| rendezvous::score(key, engine as u64, 1.0);
        // The bound is above the mean, so somebody has room.
        let pick = self.members.iter().copied().filter(has_room).max_by(|a, b| score(*a).total_cmp(&score(*b)))?;
        self.in_flight[pick] += 1;
        Some(pick)
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        members.clone_into(&mut self.members);
        let numbers = members.last().map_or(0, |last| last + 1);
        self.in_flight.resize(numbers.max(self.in_flight.len()), 0);
    }

    fn finished(&mut self, _: &Request, engine: usize, _: Seconds) {
        self.in_flight[engine] -= 1;
    }

    fn rejected(&mut self, _: &Arrival, engine: usize, _: Seconds) {
        self.in_flight[engine] -= 1;
    }
}
