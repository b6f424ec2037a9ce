//! Policies that look at no prompt.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::replay::Seconds;
use crate::replay::engine::Request;
use crate::replay::trace::Arrival;

use super::view::{InFlight, least};
use super::{Policy, Setting, View};

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
    in_flight: InFlight,
    random: Pcg64Mcg,
}

impl Policy for RoundRobin {
    fn pick(&mut self, _: &Arrival, view: &View<'_>, _: Seconds) -> Option<usize> {
        let place = self.next.checked_rem(view.members.len())?;
        self.next = place + 1;
        Some(view.members[place])
    }
}

impl Random {
    pub fn new(setting: &Setting) -> Self {
        Self { random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for Random {
    fn pick(&mut self, _: &Arrival, view: &View<'_>, _: Seconds) -> Option<usize> {
        let count = view.members.len();
        (count > 0).then(|| view.members[self.random.random_range(0..count)])
    }
}

impl LeastRequests {
    pub fn new(setting: &Setting) -> Self {
        Self { in_flight: InFlight::default(), random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for LeastRequests {
    fn pick(&mut self, _: &Arrival, view: &View<'_>, _: Seconds) -> Option<usize> {
        let counts = view.members.iter().map(|engine| (*engine, f64::from(self.in_flight.of(*engine))));
        let pick = least(&mut self.random, counts)?;
        self.in_flight.begin(pick);
        Some(pick)
    }

    fn finished(&mut self, _: &Request, engine: usize, _: Seconds) {
        self.in_flight.end(engine);
    }
}
