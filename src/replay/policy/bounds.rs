//! What could be had if it did not matter where a block lies: the least loaded engine over a cache that all share.

use crate::replay::Seconds;
use crate::replay::engine::Engine;
use crate::replay::trace::Arrival;

use super::Policy;
use super::oracle::lowest;

/// Each request in flight makes the own work so much dearer.
const LOAD_GROWTH: f64 = 0.05;
/// What the own work is weighed with.
const OWN_WEIGHT: f64 = 2.0;

/// The policy. It weighs as Homing does, but knows all work and not only its own predictions.
#[derive(Debug, Default)]
pub struct Bound {
    members: Vec<usize>,
}

impl Policy for Bound {
    fn pick(&mut self, arrival: &Arrival, engines: &[Engine], _: Seconds) -> Option<usize> {
        let cost = |engine: &Engine| {
            let cached = engine.cached_tokens(&arrival.chain, arrival.input_tokens);
            let own = (arrival.input_tokens - cached) as f64;
            let in_flight = (engine.running() + engine.waiting()) as f64;
            engine.pending_work() + OWN_WEIGHT * own * (1.0 + LOAD_GROWTH * in_flight)
        };
        lowest(&self.members, engines, cost)
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        members.clone_into(&mut self.members);
    }
}
