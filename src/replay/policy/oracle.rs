//! The soonest first token for each request by itself, with perfect knowledge of caches and queues.

use crate::replay::Seconds;
use crate::replay::engine::Engine;
use crate::replay::trace::Arrival;

use super::Policy;

/// The policy.
#[derive(Debug, Default)]
pub struct GreedyTtft {
    members: Vec<usize>,
}

impl Policy for GreedyTtft {
    fn pick(&mut self, arrival: &Arrival, engines: &[Engine], now: Seconds) -> Option<usize> {
        let ttft = |engine: &Engine| engine.predicted_first_token(now, &arrival.chain, arrival.input_tokens);
        lowest(&self.members, engines, ttft)
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        members.clone_into(&mut self.members);
    }
}

/// The member with the lowest value; the first of equal ones.
pub fn lowest(members: &[usize], engines: &[Engine], value: impl Fn(&Engine) -> f64) -> Option<usize> {
    let values = members.iter().map(|engine| (*engine, value(&engines[*engine])));
    values.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(engine, _)| engine)
}
