//! The endpoints of a pool while it lives: follows the InferencePool and its pods, and tells what they make.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as core;
use kube::Api;
use kube::runtime::watcher::Config;
use tokio::time::sleep_until;

use super::client::Cluster;
use super::endpoints::{Standing, endpoints};
use super::inference_pool::{InferencePool, Pool, Spec};
use super::pod::Pod;
use super::roster::Roster;
use super::selector::selector_text;
use super::teller::{Teller, Update};
use super::watch::{Seen, Watch};

/// The watch on pods, as the Role names them.
const PODS: &str = "pods";
/// Changes that are taken together before the endpoints are made again: 2,000 pods come in a burst.
const TOGETHER: usize = 4096;
/// A roll is called again after as long as the last one took: at most half the time goes into rolls, and with few pods
/// nothing is held up. At most this long.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// Whose endpoints are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Members {
    /// Those of the InferencePool of this name.
    Pool(String),
    /// Those of the pods that fit, without a pool.
    Pods(Spec),
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose endpoints.
    pub members: Members,
    /// How long a pod that was ready may be away without losing its sessions.
    pub grace: Duration,
}

/// Tells `tell` of each change. Never returns.
pub async fn follow(cluster: Cluster, wanted: Wanted, tell: impl FnMut(Update)) -> Infallible {
    let mut follower = Follower::new(cluster, wanted, tell);
    loop {
        let started = Instant::now();
        follower.publish(started);
        follower.rested = Instant::now() + started.elapsed().min(LONGEST_REST);
        follower.wait().await;
    }
}

struct Follower<F> {
    cluster: Cluster,
    /// Its name and the watch on it; none where labels and ports are given.
    pool: Option<(String, Watch<InferencePool, Pool>)>,
    /// What the pool asks for; `None` while there is no pool.
    wanted: Option<Spec>,
    pods: Option<Watch<core::Pod, Pod>>,
    /// The pods that are known and how they stand, and what they were listed for: until the list for a new selector is
    /// complete, that is the last one.
    table: BTreeMap<Arc<str>, (Pod, Standing)>,
    listed: Option<Spec>,
    roster: Roster,
    /// When a grace period ends.
    next: Option<Instant>,
    /// Not before then is the next roll called, so that a burst of changes leaves time for everything else.
    rested: Instant,
    teller: Teller<F>,
}

impl<F: FnMut(Update)> Follower<F> {
    fn new(cluster: Cluster, wanted: Wanted, tell: F) -> Self {
        let mut follower = Self {
            cluster,
            pool: None,
            wanted: None,
            pods: None,
            table: BTreeMap::new(),
            listed: None,
            roster: Roster::new(wanted.grace),
            next: None,
            rested: Instant::now(),
            teller: Teller::new(tell),
        };
        match wanted.members {
            Members::Pool(name) => {
                let namespace = follower.cluster.namespace();
                let api = Api::namespaced(follower.cluster.client.clone(), namespace);
                let config = Config::default().fields(&format!("metadata.name={name}"));
                let watch = Watch::new(api, namespace, config, "inferencepools", InferencePool::read);
                follower.pool = Some((name, watch));
            }
            Members::Pods(spec) => follower.take_spec(spec),
        }
        follower
    }

    /// Waits for something to happen, and takes in all that has happened until it is time to tell it.
    async fn wait(&mut self) {
        let next = self.next;
        tokio::select! {
            seen = next_of(self.pool.as_mut().map(|(_, watch)| watch)) => self.pool_seen(seen),
            seen = next_of(self.pods.as_mut()) => self.pods_seen(seen),
            () = moment(next) => {}
        }
        for _ in 0..TOGETHER {
            tokio::select! {
                biased;
                seen = next_of(self.pods.as_mut()) => self.pods_seen(seen),
                () = sleep_until(self.rested.into()) => return,
            }
        }
    }

    fn pool_seen(&mut self, seen: Seen<Pool>) {
        match seen {
            Seen::All(mut pools) => match pools.pop() {
                Some(pool) => self.take_pool(pool),
                None => self.lose_pool(),
            },
            Seen::One(pool) => self.take_pool(pool),
            Seen::Gone(_) => self.lose_pool(),
            Seen::Trouble => {}
        }
    }

    fn take_pool(&mut self, pool: Pool) {
        self.teller.pool(&pool.uid);
        if self.wanted.as_ref() != Some(&pool.spec) {
            let Spec { selector, ports, http2 } = &pool.spec;
            tracing::info!(selector = selector_text(selector), ?ports, http2, "the pool is taken");
            self.take_spec(pool.spec);
        }
    }

    fn take_spec(&mut self, spec: Spec) {
        let same_pods = |before: &Spec| before.selector == spec.selector;
        if self.listed.as_ref().is_some_and(same_pods) && self.wanted.as_ref().is_some_and(same_pods) {
            self.table.values_mut().for_each(|(pod, standing)| *standing = endpoints(&spec, pod));
            self.listed = Some(spec.clone());
        } else {
            let namespace = self.cluster.namespace();
            let api = Api::namespaced(self.cluster.client.clone(), namespace);
            let config = Config::default().labels(&selector_text(&spec.selector));
            self.pods = Some(Watch::new(api, namespace, config, PODS, Pod::read));
        }
        self.wanted = Some(spec);
    }

    /// The pool was deleted: unlike an error, that is a wish.
    fn lose_pool(&mut self) {
        if self.wanted.take().is_some() {
            tracing::warn!("the pool was deleted: every request is refused until it is there again");
        }
        (self.pods, self.listed) = (None, None);
        self.table.clear();
    }

    fn pods_seen(&mut self, seen: Seen<Pod>) {
        match seen {
            Seen::All(pods) => {
                self.listed = self.wanted.clone();
                self.table.clear();
                pods.into_iter().for_each(|pod| self.take_pod(pod));
            }
            Seen::One(pod) => self.take_pod(pod),
            Seen::Gone(pod) => {
                self.table.remove(&pod.name);
            }
            Seen::Trouble => {}
        }
    }

    fn take_pod(&mut self, pod: Pod) {
        let Some(spec) = &self.listed else { return };
        let standing = endpoints(spec, &pod);
        self.table.insert(Arc::clone(&pod.name), (pod, standing));
    }

    fn publish(&mut self, now: Instant) {
        if let Some((_, watch)) = &self.pool {
            self.teller.watch(watch.name(), Some(watch.is_up()));
        }
        let pods = self.pods.as_ref().map(Watch::is_up);
        self.teller.watch(PODS, pods);
        let standings = self.table.iter().map(|(name, (_, standing))| (name, standing));
        let roll = self.roster.call(standings, pods == Some(true), now);
        self.next = roll.next;
        // Before readiness is told, the endpoints must be there.
        self.teller.roll(roll);
        let missing = self.missing();
        self.teller.missing(missing);
    }

    /// What has to be there before endpoints can be known. Once they are, only a deleted pool takes that back.
    fn missing(&self) -> Option<String> {
        let namespace = self.cluster.namespace();
        let (what, trouble) = match (&self.wanted, &self.pool) {
            (None, Some((name, watch))) => (format!("InferencePool {namespace}/{name}"), watch.trouble()),
            _ if self.listed.is_some() || self.teller.nothing_is_missing() => return None,
            _ => {
                let trouble = self.pods.as_ref().and_then(Watch::trouble);
                (format!("the list of pods in {namespace}"), trouble)
            }
        };
        Some(match trouble {
            Some(trouble) => format!("{what} ({trouble})"),
            None => what,
        })
    }
}

async fn next_of<K, T>(watch: Option<&mut Watch<K, T>>) -> Seen<T>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    match watch {
        Some(watch) => watch.next().await,
        None => pending().await,
    }
}

async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => pending().await,
    }
}
