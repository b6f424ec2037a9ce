//! What could be had if it did not matter where a block lies: the least loaded engine over a cache that all share.
//!
//! It bounds hits, where that cache holds whatever one of the others would. It does not bound rates: who balances
//! better than the weights below may serve more with fewer hits.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::config::{PickerConfig, Scorers};
use crate::replay::Seconds;
use crate::replay::engine::Engine;
use crate::replay::trace::Arrival;

use super::{Policy, Setting, View};

/// The policy. It weighs as Homing does by default, but knows all work and not only its own predictions.
#[derive(Debug)]
pub struct Bound {
    weights: Scorers,
    random: Pcg64Mcg,
}

impl Bound {
    pub fn new(setting: &Setting) -> Self {
        Self { weights: PickerConfig::default().scorers, random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for Bound {
    fn pick(&mut self, arrival: &Arrival, view: &View<'_>, _: Seconds) -> Option<usize> {
        let Scorers { prefix_locality, queue_depth, .. } = &self.weights;
        view.lowest(&mut self.random, |engine: &Engine| {
            let cached = engine.cached_tokens(&arrival.chain, arrival.input_tokens);
            let own = (arrival.input_tokens - cached) as f64;
            let in_flight = (engine.running() + engine.waiting()) as f64;
            let dearer = 1.0 + prefix_locality.load_growth * in_flight;
            queue_depth.weight * engine.pending_work() + prefix_locality.weight * own * dearer
        })
    }
}
