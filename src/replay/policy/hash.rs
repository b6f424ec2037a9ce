//! Hashing of sessions with bounded load: a session's engine, or the next that is not too busy.
//!
//! Where the trace names no session, the conversation that the prompt goes on stands in for it.

use crate::replay::Seconds;
use crate::replay::engine::Request;
use crate::replay::trace::Arrival;
use crate::routing::rendezvous::Draw;

use super::view::InFlight;
use super::{Policy, View};

/// An engine may have so many times its share of all requests in flight.
const LOAD_BOUND: f64 = 1.25;

/// The policy.
#[derive(Debug, Default)]
pub struct SessionHash {
    in_flight: InFlight,
}

impl Policy for SessionHash {
    fn pick(&mut self, _: &Arrival, view: &View<'_>, _: Seconds) -> Option<usize> {
        let View { members, conversation, .. } = *view;
        let all: u32 = members.iter().map(|engine| self.in_flight.of(*engine)).sum();
        let bound = (LOAD_BOUND * f64::from(all + 1) / members.len() as f64).ceil();
        let has_room = |engine: &usize| f64::from(self.in_flight.of(*engine) + 1) <= bound;
        let score = |engine: usize| Draw::new(conversation, engine as u64, 1.0).score();
        // The bound is above the mean, so somebody has room.
        let pick = members.iter().copied().filter(has_room).max_by(|a, b| score(*a).total_cmp(&score(*b)))?;
        self.in_flight.begin(pick);
        Some(pick)
    }

    fn finished(&mut self, _: &Request, engine: usize, _: Seconds) {
        self.in_flight.end(engine);
    }
}
