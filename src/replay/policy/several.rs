//! Several pickers of one kind that share nothing: requests reach any of them, and each knows only its own.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::replay::Seconds;
use crate::replay::engine::Request;
use crate::replay::trace::Arrival;

use super::{Kind, Policy, Said, Setting, View};

/// The pickers.
pub struct Several {
    pickers: Vec<Box<dyn Policy>>,
    /// Whose each request in flight is.
    owners: HashMap<u64, usize, ahash::RandomState>,
    random: Pcg64Mcg,
}

impl Several {
    /// So many pickers of `kind`; each has chance of its own.
    pub fn new(kind: &Kind, count: usize, setting: &Setting) -> Self {
        let seed = |picker: u64| setting.seed.wrapping_add(picker << 32);
        let picker = |picker| kind.build(&Setting { seed: seed(picker), ..*setting });
        Self {
            pickers: (0..).take(count).map(picker).collect(),
            owners: HashMap::default(),
            random: Pcg64Mcg::seed_from_u64(setting.seed),
        }
    }

    fn owner(&mut self, number: u64) -> Option<&mut Box<dyn Policy>> {
        self.pickers.get_mut(*self.owners.get(&number)?)
    }
}

impl Policy for Several {
    fn pick(&mut self, arrival: &Arrival, view: &View<'_>, now: Seconds) -> Option<usize> {
        let owner = self.random.random_range(0..self.pickers.len());
        let pick = self.pickers[owner].pick(arrival, view, now)?;
        self.owners.insert(arrival.number, owner);
        Some(pick)
    }

    fn pool(&mut self, members: &[usize], now: Seconds) {
        self.pickers.iter_mut().for_each(|picker| picker.pool(members, now));
    }

    fn accepted(&mut self, request: &Request, engine: usize, now: Seconds) {
        if let Some(owner) = self.owner(request.number) {
            owner.accepted(request, engine, now);
        }
    }

    fn failed(&mut self, request: &Request, engine: usize, is_new: bool, now: Seconds) {
        if let Some(owner) = self.owner(request.number) {
            owner.failed(request, engine, is_new, now);
        }
        self.owners.remove(&request.number);
    }

    fn first_token(&mut self, request: &Request, engine: usize, now: Seconds) {
        if let Some(owner) = self.owner(request.number) {
            owner.first_token(request, engine, now);
        }
    }

    fn finished(&mut self, request: &Request, engine: usize, now: Seconds) {
        if let Some(owner) = self.owner(request.number) {
            owner.finished(request, engine, now);
        }
        self.owners.remove(&request.number);
    }

    fn scraped(&mut self, engine: usize, said: &Said, now: Seconds) {
        self.pickers.iter_mut().for_each(|picker| picker.scraped(engine, said, now));
    }
}
