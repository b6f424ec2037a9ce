//! Who is in the pool at a moment, over time. Pure: the clock is an argument.
//!
//! A pod that was ready and is not for a moment keeps its place ([`Endpoint::ready`] is false): nobody is sent
//! there, and the picker forgets nothing of it. After the grace period it is out, unless nobody can know whether it is
//! ready again: then the period begins anew once that is known.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoints::Standing;
use super::template::{Ages, Newest};
use crate::metrics::PodState;
use crate::model::Endpoint;

/// Remembers who was ready, and what was said of whom.
#[derive(Debug)]
pub struct Roster {
    grace: Duration,
    /// Whether the last call was of pods as they are.
    sure: bool,
    /// Endpoints in the pool by identity, and since when they are not ready.
    present: HashMap<Arc<str>, Option<Instant>>,
    /// The state of each pod, and what is wrong with its annotations.
    said: BTreeMap<Arc<str>, (PodState, Option<String>)>,
    /// How old the templates of the pods are.
    ages: Ages,
}

/// The pool at one moment.
#[derive(Debug, Default)]
pub struct Roll {
    /// Its endpoints, in the order of their pods' names.
    pub endpoints: Vec<Endpoint>,
    /// How many pods are in each state, in the order of [`PodState::ALL`].
    pub counts: [usize; PodState::ALL.len()],
    /// Pods whose state changed since the last roll, with the new one.
    pub changed: Vec<(Arc<str>, PodState)>,
    /// Pods with something wrong in their annotations that was not said before.
    pub complaints: Vec<(Arc<str>, String)>,
    /// When somebody's grace period ends, and the roll must be called again.
    pub next: Option<Instant>,
}

impl Roster {
    /// An empty pool; a pod may be away for less than `grace` without losing its place.
    pub fn new(grace: Duration) -> Self {
        Self { grace, sure: false, present: HashMap::new(), said: BTreeMap::new(), ages: Ages::new() }
    }

    /// Who is in the pool, of pods that stand so, by their names; `sure` where they do and not only did.
    pub fn call<'a>(
        &mut self,
        pods: impl Iterator<Item = (&'a Arc<str>, &'a Standing)> + Clone,
        sure: bool,
        now: Instant,
    ) -> Roll {
        let anew = !(sure && self.sure);
        self.sure = sure;
        let templates = pods
            .clone()
            .filter_map(|(_, standing)| Some((standing.template.as_ref()?, standing.state == PodState::Eligible)));
        let newest = Newest::of(templates, &self.ages);
        let mut roll = Roll::default();
        let mut present = HashMap::with_capacity(self.present.len());
        let mut said = BTreeMap::new();
        for (name, Standing { endpoints, state, template, complaint }) in pods {
            let outdated = template.as_ref().is_some_and(|template| newest.outdates(template));
            for endpoint in endpoints {
                let away_since = match (endpoint.ready, self.present.get(&endpoint.identity)) {
                    (true, _) => None,
                    (false, Some(since)) => Some(since.filter(|_| !anew).unwrap_or(now)),
                    // It was never ready, so there is nothing to keep.
                    (false, None) => continue,
                };
                // A period that ends beyond the end of time does not end.
                let back_by = away_since.filter(|_| sure).and_then(|since| since.checked_add(self.grace));
                if back_by.is_some_and(|back_by| back_by <= now) || (away_since.is_some() && self.grace.is_zero()) {
                    continue;
                }
                roll.next = [roll.next, back_by].into_iter().flatten().min();
                present.insert(Arc::clone(&endpoint.identity), away_since);
                roll.endpoints.push(Endpoint { outdated, ..endpoint.clone() });
            }
            roll.count(*state);
            let before = self.said.remove(name);
            if before.as_ref().is_none_or(|(before, _)| before != state) {
                roll.changed.push((Arc::clone(name), *state));
            }
            if let Some(complaint) = complaint
                && before.is_none_or(|(_, before)| before.as_ref() != Some(complaint))
            {
                roll.complaints.push((Arc::clone(name), complaint.clone()));
            }
            said.insert(Arc::clone(name), (*state, complaint.clone()));
        }
        (self.present, self.said, self.ages) = (present, said, newest.ages());
        roll
    }
}

impl Roll {
    fn count(&mut self, state: PodState) {
        if let Some(place) = PodState::ALL.iter().position(|known| *known == state) {
            self.counts[place] += 1;
        }
    }
}

#[cfg(test)]
mod tests;
