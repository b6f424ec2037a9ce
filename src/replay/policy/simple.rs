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
    members: Vec<usize>,
}

/// Any engine.
#[derive(Debug)]
pub struct Random {
    members: Vec<usize>,
    random: Pcg64Mcg,
}

/// The engine with the fewest requests in flight; any of those.
#[derive(Debug)]
pub struct LeastRequests {
    members: Vec<usize>,
    in_flight: Vec<u32>,
    random: Pcg64Mcg,
}

impl Policy for RoundRobin {
    fn pick(&mut self, _: &Arrival, _: &[Engine], _: Seconds) -> Option<usize> {
        let place = self.next.checked_rem(self.members.len())?;
        self.next = place + 1;
        Some(self.members[place])
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        members.clone_into(&mut self.members);
    }
}

impl Random {
    pub fn new(setting: &Setting<'_>) -> Self {
        Self { members: Vec::new(), random: Pcg64Mcg::seed_from_u64(setting.seed) }
    }
}

impl Policy for Random {
    fn pick(&mut self, _: &Arrival, _: &[Engine], _: Seconds) -> Option<usize> {
        let count = self.members.len();
        (count > 0).then(|| self.members[self.random.random_range(0..count)])
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        members.clone_into(&mut self.members);
    }
}

impl LeastRequests {
    pub fn new(setting: &Setting<'_>) -> Self {
        Self {
            members: Vec::new(),
            in_flight: vec![0; setting.replicas],
            random: Pcg64Mcg::seed_from_u64(setting.seed),
        }
    }
}

impl Policy for LeastRequests {
    fn pick(&mut self, _: &Arrival, _: &[Engine], _: Seconds) -> Option<usize> {
        let in_flight = || self.members.iter().map(|engine| self.in_flight[*engine]);
        let fewest = in_flight().min()?;
        let pick = self.members[any_of(&mut self.random, in_flight().map(|count| count == fewest))?];
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

/// One of the places that are true, all equally likely.
pub fn any_of(random: &mut Pcg64Mcg, places: impl Iterator<Item = bool> + Clone) -> Option<usize> {
    let count = places.clone().filter(|is| *is).count();
    let chosen = if count > 1 { random.random_range(0..count) } else { 0 };
    places.enumerate().filter(|(_, is)| *is).nth(chosen).map(|(place, _)| place)
}
