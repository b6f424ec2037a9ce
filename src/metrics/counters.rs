//! Counters by a label whose values are few and known.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// One counter for each value of `K`, all made at the start.
#[derive(Debug)]
pub struct Counters<K> {
    counters: Vec<(K, Counter)>,
}

impl<K: Copy + PartialEq + std::fmt::Debug> Counters<K> {
    /// Registers one counter for each of `values` under `label`.
    pub fn new(
        registry: &mut Registry,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[(K, &'static str)],
    ) -> Self {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let counters = values.iter().map(|(key, value)| (*key, family.get_or_create(&[(label, *value)]).clone()));
        let counters = counters.collect();
        registry.register(name, help, family);
        Self { counters }
    }

    /// The counter of `key`.
    pub fn of(&self, key: K) -> &Counter {
        // A handful of values: a walk is faster than a hash. The first stands in for one that was forgotten,
        // which a debug build reports.
        let found = self.counters.iter().find(|(known, _)| *known == key);
        debug_assert!(found.is_some(), "{key:?} has no counter");
        &found.unwrap_or(&self.counters[0]).1
    }
}
