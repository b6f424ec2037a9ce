//! Policies that look at no prompt.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::replay::Seconds;
use crate::replay::engine::{Engine, Request};
use crate::replay::trace::Arrival;

use super::{Policy, Setting};

/// Each engine in turn.
#[derive(Debug, Default)]
pub struct RoundRobin {
    next: usize,
}

/// Any engine.
#[derive(Debug)]
pub struct Random {
    random: Pcg64Mcg,
}

/// The engine with the fewest requests in flight; any of those.
#[derive(Debug)]
pub struct LeastRequests {
    in_flight: Vec<u32>,
    random: Pcg64Mcg,
}

impl Policy for RoundRobin {
    fn pick(&mut self, _: &Arrival, engines: &[Engine], _: Seconds) -> Option<usize> {
        let pick = self.next % engines.len();
        self.next = pick + 1;
        Some(pick)
    }
}

impl Random {
    pub fn new(setting: &Setting<'_>) -> Self {
        Self { random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for Random {
    fn pick(&mut self, _: &Arrival, engines: &[Engine], _: Seconds) -> Option<usize> {
        Some(self.random.random_range(0..engines.len()))
    }
}

impl LeastRequests {
    pub fn new(setting: &Setting<'_>) -> Self {
        Self { in_flight: vec![0; setting.replicas], random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for LeastRequests {
    fn pick(&mut self, _: &Arrival, _: &[Engine], _: Seconds) -> Option<usize> {
        let fewest = *self.in_flight.iter().min()?;
        let pick = any_of(&mut self.random, self.in_flight.iter().map(|count| *count == fewest))?;
        self.in_flight[pick] += 1;
        Some(pick)
    }

    fn finished(&mut self, _: &Request, engine: usize, _: Seconds) {
        self.in_flight[engine] -= 1;
    }

    fn rejected(&mut self, _: &Arrival, engine: usize, _: Seconds) {
        self.in_flight[engine] -= 1;
    }
}

/// One of the places that are true, all equally likely.
pub fn any_of(random: &mut Pcg64Mcg, places: impl Iterator<Item = bool> + Clone) -> Option<usize> {
    let count = places.clone().filter(|is| *is).count();
    let chosen = if count > 1 { random.random_range(0..count) } else { 0 };
    places.enumerate().filter(|(_, is)| *is).nth(chosen).map(|(place, _)| place)
}
