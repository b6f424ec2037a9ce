//! This replica's part in the shared state: what it tells, what it hears, and how that goes.
//!
//! [`Sharing::start`] is the entry; pages and `homing explain` ask the rest.

mod health;
mod heard;
mod lags;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::metrics::{Direction, SharingMetrics};
use crate::model::Now;
use crate::pick::{Picker, Replica, Told};
use crate::serving::{BlockReady, Readiness};
use crate::sources::shared_state::{self, Exchange, Failure, News, Server, Settings, Side};
use crate::state::{Outbox, Peer, PoolReader, SILENCE};

use self::health::Health;
use self::heard::Judge;
use super::vital::Vital;

/// What readiness waits for.
const WHAT: &str = "the shared state's log";

/// One replica in the exchange.
#[derive(Debug)]
pub struct Sharing {
    picker: Arc<Picker>,
    replica: Mutex<Replica>,
    health: Health,
    judge: Judge,
    /// Held until the log is read.
    warming_up: Mutex<Option<BlockReady>>,
}

/// How to share.
#[derive(Debug)]
pub struct Plan {
    /// Where.
    pub server: Server,
    /// How often to tell what is new.
    pub interval: Duration,
    /// Bytes that the log may have.
    pub log_bytes: u64,
    /// How long to read the log at most before this replica is ready.
    pub warm_up: Duration,
}

impl Sharing {
    /// Shares what `picker` writes to `outbox` with all whose `group` is the same, from when that is known; not ready
    /// before the log is read, unless that takes too long.
    pub fn start(
        plan: Plan,
        picker: Arc<Picker>,
        outbox: Arc<Outbox>,
        pool: PoolReader,
        group: watch::Receiver<Option<Arc<str>>>,
        readiness: &Readiness,
        vital: &Vital,
    ) -> Arc<Self> {
        picker.metrics().sharing.connected.get_or_create(&[]).set(0);
        let sharing = Arc::new(Self {
            replica: Mutex::new(Replica::new(outbox, &own_name(), Now::read())),
            health: Health::new(plan.server.name()),
            judge: Judge::default(),
            warming_up: Mutex::new(Some(readiness.block(WHAT))),
            picker,
        });
        vital.spawn("the shared state", Arc::clone(&sharing).follow(plan, pool, group));
        sharing
    }

    async fn follow(self: Arc<Self>, plan: Plan, mut pool: PoolReader, mut group: watch::Receiver<Option<Arc<str>>>) {
        loop {
            let Ok(named) = group.wait_for(Option::is_some).await.map(|group| group.clone()) else { return };
            let Some(name) = named else { continue };
            let renamed = async {
                if group.changed().await.is_err() {
                    // Nobody will name it otherwise.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.exchange(&plan, &name, &mut pool) => {}
                () = renamed => {}
            }
        }
    }

    async fn exchange(&self, plan: &Plan, group: &str, pool: &mut PoolReader) {
        // News of endpoints that are not in the pool yet would be ignored.
        let filled = async {
            while pool.load().members().is_empty() {
                pool.changed().await;
            }
        };
        tokio::pin!(filled);
        let began = Instant::now();
        if timeout(plan.warm_up, &mut filled).await.is_err() {
            self.ready("no endpoint is in the pool");
            filled.await;
        }
        // Under another name before, and perhaps in the middle of an update.
        self.replica.lock().lost();
        self.tell_all_again();
        let settings = Settings { group: group.to_owned(), interval: plan.interval, log_bytes: plan.log_bytes };
        let late = async {
            sleep(plan.warm_up.saturating_sub(began.elapsed())).await;
            self.ready("its log is not read yet");
            std::future::pending::<()>().await
        };
        tokio::select! {
            never = shared_state::follow(&plan.server, &settings, self) => match never {},
            () = late => {}
        }
    }

    /// The replicas that are not silent.
    pub fn replicas(&self, now: Instant) -> Vec<Peer> {
        let mut replicas: Vec<_> = self.replica.lock().heard(now).collect();
        replicas.sort_by(|one, other| (&one.name, one.replica).cmp(&(&other.name, other.replica)));
        replicas
    }

    /// Seconds from picks elsewhere until they were known here: half of them were faster, and 99 of 100.
    pub fn lag(&self) -> Option<[f64; 2]> {
        self.judge.lags.quantiles([0.5, 0.99])
    }

    /// How it goes, in a few words for people.
    pub fn state(&self, now: Instant) -> String {
        self.health.describe(self.replicas(now).len(), now)
    }

    /// Sets the gauges that change with time alone.
    pub fn refresh_gauges(&self, now: Instant) {
        let SharingMetrics { replicas, replica_age, dropped, told_again, .. } = self.metrics();
        let heard = self.replicas(now);
        replicas.set(i64::try_from(heard.len()).unwrap_or(i64::MAX));
        replica_age.clear();
        for peer in heard {
            let age = now.saturating_duration_since(peer.heard_at).as_secs_f64();
            replica_age.get_or_create(&[("replica", label(&peer))]).set(age);
        }
        let replica = self.replica.lock();
        dropped.inc_by(replica.dropped().saturating_sub(dropped.get()));
        told_again.inc_by(replica.told_again().saturating_sub(told_again.get()));
    }

    fn metrics(&self) -> &SharingMetrics {
        &self.picker.metrics().sharing
    }

    /// Ready, for one reason or another.
    fn ready(&self, though: &str) {
        if self.warming_up.lock().take().is_some() && !though.is_empty() {
            tracing::warn!("shared state: ready though {though}");
        }
    }
}

impl Exchange for Sharing {
    fn tell(&self) -> Option<Vec<u8>> {
        self.picker.tell(&mut self.replica.lock(), Now::read())
    }

    fn arrived(&self, bytes: usize) {
        self.metrics().messages.of(Direction::Sent).inc();
        self.metrics().bytes.of(Direction::Sent).inc_by(bytes as u64);
    }

    fn lost(&self) {
        self.replica.lock().lost();
    }

    fn hear(&self, news: News<'_>) {
        let Some(bytes) = news.bytes else {
            self.metrics().refused.inc();
            return;
        };
        // What a dead replica said last must not make it live on with who reads late.
        let is_late = news.age.is_some_and(|age| age >= SILENCE);
        let told = if news.is_history || is_late { Told::Before } else { Told::Now };
        // It comes from outside, and would come again after a restart: it costs itself, and never the process.
        let heard =
            catch_unwind(AssertUnwindSafe(|| self.picker.hear(&mut self.replica.lock(), bytes, told, Now::read())));
        match heard {
            Ok(heard) => self.judge.take(heard, bytes.len(), news, self.metrics()),
            Err(_) => {
                tracing::error!("an update of another replica caused a panic; it is passed over");
                self.metrics().refused.inc();
            }
        }
    }

    fn tell_all_again(&self) {
        self.replica.lock().tell_all_again();
    }

    fn caught_up(&self) {
        self.ready("");
    }

    fn forget_silent(&self) {
        self.picker.forget_silent(&mut self.replica.lock(), Now::read());
    }

    fn is(&self, side: Side, outcome: Result<(), &Failure>) {
        if let Err(failure) = outcome {
            self.metrics().failures.of(failure.kind).inc();
        }
        let is_well = self.health.note(side, outcome, Instant::now());
        self.metrics().connected.get_or_create(&[]).set(is_well.into());
    }
}

/// A name for metrics: its own, or its number.
pub fn label(peer: &Peer) -> String {
    if peer.name.is_empty() { format!("{:016x}", peer.replica) } else { peer.name.to_string() }
}

/// The pod's name, as the kubelet tells every container; elsewhere the machine's and the process's.
fn own_name() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let host = host.map_or_else(|_| "homing".to_owned(), |host| host.trim().to_owned());
    // Several processes may share a machine; a container has one.
    if std::process::id() == 1 { host } else { format!("{host}-{}", std::process::id()) }
}
