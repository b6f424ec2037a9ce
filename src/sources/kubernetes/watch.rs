//! A watch that stays alive: lists, follows, waits and tries again, and tells a list only when it is complete.

use std::fmt::Debug;
use std::mem;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use super::trouble::{Trouble, innermost};

/// How long one request to watch lasts before it is made again. A connection that has died without a word is
/// noticed a little later.
pub(super) const WATCH_SECONDS: u32 = 50;
/// Objects in one answer to a list: a page is held whole before it is trimmed.
const PAGE: u32 = 100;
/// How long to wait after the first failure in a row; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// An API server that was away for long is found again within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pauses vary by this share, so that replicas do not come back all at once.
const JITTER: f64 = 0.2;
/// A watch that breaks so often in a row, without a word between, is in trouble. Once or twice is usual: API servers
/// restart.
const BREAKS: u32 = 3;

/// What a watch has seen.
#[derive(Debug)]
pub enum Seen<T> {
    /// All that there is, after the first list and after each gap.
    All(Vec<T>),
    /// One is new or has changed.
    One(T),
    /// One is no more.
    Gone(T),
    /// Nothing new; [`Watch::trouble`] has changed.
    Trouble,
}

type Events<K> = Pin<Box<dyn Stream<Item = watcher::Result<Event<K>>> + Send>>;

/// A watch on objects of kind `K`, of which `T` is kept.
pub struct Watch<K, T> {
    api: Api<K>,
    config: Config,
    read: fn(K) -> T,
    /// What is watched, as the Role names it.
    name: &'static str,
    namespace: String,
    events: Events<K>,
    /// A list that is not complete yet.
    arriving: Vec<T>,
    failures: u32,
    wait_until: Option<Instant>,
    trouble: Option<Trouble>,
}

impl<K, T> Watch<K, T>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Watches what `config` selects of `api`. Nothing is asked before the first [`Watch::next`].
    pub fn new(api: Api<K>, namespace: &str, config: Config, name: &'static str, read: fn(K) -> T) -> Self {
        let config = config.timeout(WATCH_SECONDS).page_size(PAGE);
        let events = watcher(api.clone(), config.clone()).boxed();
        Self {
            api,
            config,
            read,
            name,
            namespace: namespace.to_owned(),
            events,
            arriving: Vec::new(),
            failures: 0,
            wait_until: None,
            trouble: None,
        }
    }

    /// What is watched, as the Role names it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Why it fails at the moment.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Waits for what is seen next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Seen<T> {
        loop {
            if let Some(until) = self.wait_until {
                sleep_until(until).await;
                self.wait_until = None;
            }
            match self.events.next().await {
                Some(Ok(Event::Init)) => self.arriving.clear(),
                Some(Ok(Event::InitApply(object))) => self.arriving.push((self.read)(object)),
                Some(Ok(Event::InitDone)) => {
                    self.is_well();
                    return Seen::All(mem::take(&mut self.arriving));
                }
                Some(Ok(Event::Apply(object))) => {
                    self.is_well();
                    return Seen::One((self.read)(object));
                }
                Some(Ok(Event::Delete(object))) => {
                    self.is_well();
                    return Seen::Gone((self.read)(object));
                }
                Some(Err(error)) => {
                    if self.failed(&error) {
                        return Seen::Trouble;
                    }
                }
                None => self.start_over(),
            }
        }
    }

    fn is_well(&mut self) {
        self.failures = 0;
        if self.trouble.take().is_some() {
            tracing::info!(watch = self.name, namespace = self.namespace, "the API server answers again");
        }
    }

    /// Notes a failure; returns whether there is a new kind of trouble.
    fn failed(&mut self, error: &watcher::Error) -> bool {
        self.wait_until = Some(Instant::now() + pause(self.failures, rand::random_range(-JITTER..JITTER)));
        self.failures = self.failures.saturating_add(1);
        let broke = matches!(error, watcher::Error::WatchFailed(_) | watcher::Error::WatchError(_));
        if broke && self.failures < BREAKS {
            tracing::debug!(watch = self.name, %error, "a watch broke; it goes on where it was");
            return false;
        }
        if !matches!(error, watcher::Error::InitialListFailed(_)) {
            // Where it was may be a version that the server does not know any more, or does not know yet: a list
            // of all ends that, and shows that the server is back.
            self.start_over();
        }
        let trouble = Some(Trouble::of(error));
        if self.trouble == trouble {
            return false;
        }
        self.trouble = trouble;
        let (watch, namespace, cause) = (self.name, &self.namespace, innermost(error));
        match trouble {
            Some(Trouble::Forbidden) => tracing::warn!(
                watch,
                namespace,
                %cause,
                "not allowed: the ServiceAccount needs a Role with list and watch on {watch} in this namespace"
            ),
            Some(Trouble::UnknownKind) => tracing::warn!(
                watch,
                namespace,
                %cause,
                "the API server does not know {watch} of {}/{}: install its CustomResourceDefinition",
                K::group(&()),
                K::version(&())
            ),
            _ => tracing::warn!(watch, namespace, %cause, "cannot watch; what is known holds, and we keep trying"),
        }
        true
    }

    fn start_over(&mut self) {
        self.arriving.clear();
        self.events = watcher(self.api.clone(), self.config.clone()).boxed();
    }
}

/// The wait after so many failures in a row.
fn pause(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(1.0 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_moment_to_a_few_seconds() {
        let pauses: Vec<_> = [0, 1, 2, 4, 10, u32::MAX].iter().map(|n| pause(*n, 0.0).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 3_200, 5_000, 5_000]);
        assert!(pause(10, JITTER) <= LONGEST_PAUSE * 2);
    }
}
