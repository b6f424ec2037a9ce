//! The soonest first token for each request by itself, with perfect knowledge of caches and queues.

use crate::replay::Seconds;
use crate::replay::engine::Engine;
use crate::replay::trace::Arrival;

use super::Policy;

/// The policy.
#[derive(Debug)]
pub struct GreedyTtft;

impl Policy for GreedyTtft {
    fn pick(&mut self, arrival: &Arrival, engines: &[Engine], now: Seconds) -> Option<usize> {
        let ttft = |engine: &Engine| engine.predicted_first_token(now, &arrival.chain, arrival.input_tokens);
        lowest(engines.iter().map(ttft))
    }
}

/// The place of the lowest value; the first of equal ones.
pub fn lowest(values: impl Iterator<Item = f64>) -> Option<usize> {
    values.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(place, _)| place)
}
