//! The soonest first token for each request by itself, with perfect knowledge of caches and queues.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::replay::Seconds;
use crate::replay::trace::Arrival;

use super::{Policy, Setting, View};

/// The policy.
#[derive(Debug)]
pub struct GreedyTtft {
    random: Pcg64Mcg,
}

impl GreedyTtft {
    pub fn new(setting: &Setting) -> Self {
        Self { random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for GreedyTtft {
    fn pick(&mut self, arrival: &Arrival, view: &View<'_>, now: Seconds) -> Option<usize> {
        view.lowest(&mut self.random, |engine| engine.predicted_first_token(now, &arrival.chain, arrival.input_tokens))
    }
}
