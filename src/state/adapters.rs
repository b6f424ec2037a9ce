//! LoRA adapters: which of them an engine has loaded, and which names are adapters at all.
//!
//! Engines list only the adapters in use, so what was used last is taken to be loaded still, as many as the engine
//! holds. Picks read snapshots; nothing here is touched before an engine has reported an adapter.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::model::{Adapter, AdapterReport};

/// Adapters remembered of one endpoint, whatever its engine says.
const MOST_LOADED: usize = 256;
/// Names known as adapters; when there are more, those are dropped that no endpoint has loaded.
const MOST_KNOWN: usize = 16_384;

/// The adapters of one endpoint.
#[derive(Debug, Default)]
pub struct LoadedAdapters {
    recent: ArcSwap<Recent>,
}

#[derive(Clone, Debug, Default)]
struct Recent {
    /// Adapters that the engine holds at once; 0 until it says, which counts as 1.
    slots: usize,
    /// The newest first.
    adapters: Vec<Adapter>,
}

/// The names that any endpoint has reported as adapters.
#[derive(Debug, Default)]
pub struct KnownAdapters {
    /// In order.
    known: ArcSwap<Vec<Adapter>>,
}

// === impl LoadedAdapters ===

impl LoadedAdapters {
    /// Whether `adapter` is taken to be loaded.
    pub fn has(&self, adapter: Adapter) -> bool {
        self.recent.load().adapters.contains(&adapter)
    }

    /// How many are taken to be loaded.
    pub fn count(&self) -> usize {
        self.recent.load().adapters.len()
    }

    /// All that are taken to be loaded.
    pub fn all(&self) -> Vec<Adapter> {
        self.recent.load().adapters.clone()
    }

    /// Takes in what the engine says.
    pub fn reported(&self, report: &AdapterReport) {
        self.change(|recent| {
            recent.slots = report.slots;
            report.in_use.iter().for_each(|adapter| recent.touch(*adapter));
        });
    }

    /// A request with `adapter` was sent there; returns whether that is new.
    pub fn picked(&self, adapter: Adapter) -> bool {
        let recent = self.recent.load();
        if recent.adapters.first() == Some(&adapter) {
            return false;
        }
        let is_new = !recent.adapters.contains(&adapter);
        self.change(|recent| recent.touch(adapter));
        is_new
    }

    /// It is not there after all.
    pub fn remove(&self, adapter: Adapter) {
        self.change(|recent| recent.adapters.retain(|other| *other != adapter));
    }

    /// The engine starts with none.
    pub fn clear(&self) {
        self.recent.store(Arc::default());
    }

    fn change(&self, change: impl Fn(&mut Recent)) {
        self.recent.rcu(|recent| {
            let mut recent = Recent::clone(recent);
            change(&mut recent);
            recent.adapters.truncate(recent.slots.clamp(1, MOST_LOADED));
            recent
        });
    }
}

impl Recent {
    fn touch(&mut self, adapter: Adapter) {
        self.adapters.retain(|other| *other != adapter);
        self.adapters.insert(0, adapter);
    }
}

// === impl KnownAdapters ===

impl KnownAdapters {
    /// Whether any endpoint has reported an adapter.
    pub fn any(&self) -> bool {
        !self.known.load().is_empty()
    }

    /// The adapter that `model` names, if it is known as one.
    pub fn find(&self, model: &str) -> Option<Adapter> {
        let known = self.known.load();
        // Most pools have none: then the name is not even hashed.
        let adapter = (!known.is_empty() && !model.is_empty()).then(|| Adapter::named(model))?;
        known.binary_search(&adapter).is_ok().then_some(adapter)
    }

    /// No engine is asked any more.
    pub fn forget(&self) {
        self.known.store(Arc::default());
    }

    /// Takes in what an engine reports; `loaded` are the adapters that endpoints have, asked for where room is short.
    pub fn learn(&self, reported: &[Adapter], loaded: impl Fn() -> Vec<Adapter>) {
        if reported.iter().all(|adapter| self.known.load().binary_search(adapter).is_ok()) {
            return;
        }
        self.known.rcu(|known| {
            let mut merged = [known.as_slice(), reported].concat();
            tidy(&mut merged);
            if merged.len() > MOST_KNOWN {
                merged = [loaded().as_slice(), reported].concat();
                tidy(&mut merged);
                merged.truncate(MOST_KNOWN);
            }
            merged
        });
    }
}

fn tidy(adapters: &mut Vec<Adapter>) {
    adapters.sort_unstable();
    adapters.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(slots: usize, in_use: &[u64]) -> AdapterReport {
        AdapterReport { slots, in_use: adapters(in_use) }
    }

    fn adapters(names: &[u64]) -> Vec<Adapter> {
        names.iter().copied().map(Adapter).collect()
    }

    #[test]
    fn the_last_used_are_loaded_as_many_as_the_engine_holds() {
        let loaded = LoadedAdapters::default();
        loaded.reported(&report(2, &[1, 2]));
        loaded.reported(&report(2, &[]));
        assert_eq!(loaded.all(), adapters(&[2, 1]), "idle adapters stay loaded");
        assert!(!loaded.picked(Adapter(1)), "it was there");
        assert!(loaded.picked(Adapter(3)));
        assert_eq!(loaded.all(), adapters(&[3, 1]));
        loaded.reported(&report(1, &[3, 3]));
        assert_eq!(loaded.all(), adapters(&[3]));
        loaded.remove(Adapter(3));
        assert_eq!(loaded.count(), 0);
    }

    #[test]
    fn an_engine_that_has_not_said_is_taken_to_hold_one() {
        let loaded = LoadedAdapters::default();
        assert!(loaded.picked(Adapter(1)));
        assert!(loaded.picked(Adapter(2)));
        assert!(!loaded.has(Adapter(1)) && loaded.has(Adapter(2)));
    }

    #[test]
    fn what_an_engine_boasts_of_is_bounded() {
        let loaded = LoadedAdapters::default();
        loaded.reported(&report(usize::MAX, &(0..1000).collect::<Vec<_>>()));
        assert_eq!(loaded.count(), MOST_LOADED);
    }

    #[test]
    fn only_reported_names_are_adapters() {
        let known = KnownAdapters::default();
        assert!(!known.any() && known.find("sql").is_none());
        known.learn(&[Adapter::named("sql"), Adapter::named("chat")], Vec::new);
        assert_eq!(known.find("sql"), Some(Adapter::named("sql")));
        assert!(known.any() && known.find("base").is_none() && known.find("").is_none());
    }

    #[test]
    fn of_too_many_names_those_in_use_are_kept() {
        let known = KnownAdapters::default();
        known.learn(&[Adapter::named("old"), Adapter::named("loaded")], Vec::new);
        let many: Vec<_> = (0..MOST_KNOWN as u64 - 2).map(Adapter).collect();
        known.learn(&many, || panic!("there is room"));
        known.learn(&[Adapter::named("new")], || vec![Adapter::named("loaded")]);
        assert_eq!(known.known.load().len(), 2);
        assert!(known.find("old").is_none() && known.find("loaded").is_some() && known.find("new").is_some());
    }
}
