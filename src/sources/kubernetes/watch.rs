//! A watch that stays alive: lists, follows, waits and tries again, and tells a list only when it is complete.

use std::fmt::Debug;
use std::mem;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use super::trouble::{Course, Trouble, innermost};

/// How long one request to watch lasts before it is made again. A connection that has died without a word is
/// noticed a little later.
pub(super) const WATCH_SECONDS: u32 = 50;
/// Objects in one answer to a list: a page is held whole before it is trimmed, and 2,000 pods are a few requests.
const PAGE: u32 = 500;
/// How long to wait after the first failure in a row; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// An API server that was away for long is found again within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pauses vary by this share, so that replicas do not come back all at once.
const JITTER: f64 = 0.2;

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

type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// A watch on objects of kind `K`, of which `T` is kept.
pub struct Watch<K, T> {
    /// Begins with a list of all.
    open: Box<dyn Fn() -> Events<K> + Send>,
    read: fn(K) -> T,
    /// What is watched, as the Role names it.
    name: &'static str,
    namespace: String,
    events: Events<K>,
    /// A list that is not complete yet.
    arriving: Vec<T>,
    /// Whether a list was ever complete.
    listed: bool,
    failures: u32,
    failed_at: Option<Instant>,
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
        Self::over(move || watcher(api.clone(), config.clone()).boxed(), namespace, name, read)
    }

    fn over(
        open: impl Fn() -> Events<K> + Send + 'static,
        namespace: &str,
        name: &'static str,
        read: fn(K) -> T,
    ) -> Self {
        Self {
            events: open(),
            open: Box::new(open),
            read,
            name,
            namespace: namespace.to_owned(),
            arriving: Vec::new(),
            listed: false,
            failures: 0,
            failed_at: None,
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

    /// Whether what was seen is what there is: a list was complete, and nothing is wrong since.
    pub fn is_up(&self) -> bool {
        self.listed && self.trouble.is_none()
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
                    self.listed = true;
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
        let now = Instant::now();
        self.failures = in_a_row(self.failures, self.failed_at.replace(now).map(|before| now - before));
        self.wait_until = Some(now + pause(self.failures, rand::random_range(-JITTER..JITTER)));
        self.failures = self.failures.saturating_add(1);
        match Course::after(error, self.failures) {
            Course::Resume => {
                tracing::debug!(watch = self.name, %error, "a watch broke; it goes on where it was");
                return false;
            }
            Course::List => {
                tracing::debug!(watch = self.name, %error, "where the watch was is not known any more; it lists all");
                self.start_over();
                return false;
            }
            // A list of all, because it shows that the server is back.
            Course::Trouble => self.start_over(),
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
        self.events = (self.open)();
    }
}

/// So many failures in a row, where the last is so long ago. A quiet watch says nothing for hours, and is well.
fn in_a_row(failures: u32, since: Option<Duration>) -> u32 {
    let long_ago = since.is_some_and(|since| since > Duration::from_secs(WATCH_SECONDS.into()));
    if long_ago { 0 } else { failures }
}

/// The wait after so many failures in a row.
fn pause(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(1.0 + jitter)
}

#[cfg(test)]
mod tests;
