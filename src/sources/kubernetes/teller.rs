//! Says what has changed since it was said last, to whoever follows the pool and in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::roster::Roll;
use crate::metrics::PodState;
use crate::model::Endpoint;

/// Pods that one log line names.
const NAMED: usize = 8;

/// Something that has changed.
#[derive(Debug)]
pub enum Update {
    /// What has to be there before endpoints can be known, in words; `None` once all of it is.
    Missing(Option<String>),
    /// The pool is known; its uid is what the replicas of a picker share.
    Pool(Arc<str>),
    /// All endpoints of the pool.
    Endpoints(Vec<Endpoint>),
    /// How many pods are in each state, in the order of [`PodState::ALL`].
    Pods([usize; PodState::ALL.len()]),
    /// Whether the watch on this is up; `None` where there is no watch on it any more.
    Watch(&'static str, Option<bool>),
}

/// Remembers what was told.
pub struct Teller<F> {
    tell: F,
    missing: Option<Option<String>>,
    pool: Option<Arc<str>>,
    endpoints: Option<Vec<Endpoint>>,
    counts: Option<[usize; PodState::ALL.len()]>,
    watches: BTreeMap<&'static str, Option<bool>>,
}

impl<F: FnMut(Update)> Teller<F> {
    /// Tells `tell`.
    pub fn new(tell: F) -> Self {
        Self { tell, missing: None, pool: None, endpoints: None, counts: None, watches: BTreeMap::new() }
    }

    /// Whether it was told that everything is there.
    pub fn nothing_is_missing(&self) -> bool {
        self.missing == Some(None)
    }

    /// What is missing.
    pub fn missing(&mut self, missing: Option<String>) {
        if self.missing.as_ref() != Some(&missing) {
            self.missing = Some(missing.clone());
            (self.tell)(Update::Missing(missing));
        }
    }

    /// Which pool it is.
    pub fn pool(&mut self, uid: &Arc<str>) {
        if self.pool.as_ref() != Some(uid) {
            self.pool = Some(Arc::clone(uid));
            (self.tell)(Update::Pool(Arc::clone(uid)));
        }
    }

    /// Whether a watch is up, if there is one.
    pub fn watch(&mut self, watch: &'static str, up: Option<bool>) {
        if self.watches.insert(watch, up).flatten() != up {
            (self.tell)(Update::Watch(watch, up));
        }
    }

    /// Who is in the pool.
    pub fn roll(&mut self, roll: Roll) {
        log(&roll);
        let Roll { endpoints, counts, changed: _, complaints: _, next: _ } = roll;
        if self.endpoints.as_ref() != Some(&endpoints) {
            self.endpoints = Some(endpoints.clone());
            (self.tell)(Update::Endpoints(endpoints));
        }
        if self.counts != Some(counts) {
            self.counts = Some(counts);
            (self.tell)(Update::Pods(counts));
        }
    }
}

/// Says who came, who is excluded why, and what is wrong with whose annotations; a few by name.
fn log(roll: &Roll) {
    for state in PodState::ALL {
        let names = roll.changed.iter().filter(|(_, changed)| *changed == state).map(|(name, _)| &**name);
        let Some((pods, more)) = named(names) else { continue };
        let reason = state.as_str();
        if state == PodState::Eligible {
            tracing::info!(pods, more, "pods serve");
        } else {
            tracing::info!(pods, more, reason, "pods are excluded");
        }
    }
    for (complaint, pods) in by_text(&roll.complaints) {
        if let Some((pods, more)) = named(pods.into_iter()) {
            tracing::warn!(pods, more, "{complaint}");
        }
    }
}

/// A few names, and how many there are beside them.
fn named<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<(String, usize)> {
    let named: Vec<&str> = names.by_ref().take(NAMED).collect();
    (!named.is_empty()).then(|| (named.join(", "), names.count()))
}

/// Whom each complaint concerns: a template with a mistake has as many pods as it likes.
fn by_text(complaints: &[(Arc<str>, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut texts = BTreeMap::<&str, Vec<&str>>::new();
    for (pod, complaint) in complaints {
        texts.entry(complaint).or_default().push(pod);
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_said_once_for_all_pods_that_it_concerns() {
        let complaint = |number: usize| {
            let text = if number == 3 { "other" } else { "drain" };
            (format!("p{number:02}").into(), text.to_owned())
        };
        let complaints: Vec<(Arc<str>, String)> = (0..20).map(complaint).collect();
        let texts = by_text(&complaints);
        assert_eq!(texts.keys().copied().collect::<Vec<_>>(), ["drain", "other"]);
        let said = named(texts["drain"].iter().copied());
        assert_eq!(said, Some(("p00, p01, p02, p04, p05, p06, p07, p08".to_owned(), 11)));
        assert_eq!(named([].into_iter()), None);
    }
}
