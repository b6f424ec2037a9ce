//! One pod, from the moment that the node takes it until it is no more.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{LifecycleHandler, Pod};
use kube::api::DynamicObject;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::container::Container;
use super::fields;
use super::handle::{Fate, Handle};
use super::keeper::{Running, Shared};
use super::making::Making;
use super::network::Network;
use super::probe::{Ask, Probes, Verdict};
use super::spec::{Facts, seconds};
use super::status::{Status, starts_again};
use super::termination;

/// Between a crash and the next start: nothing at first, then this, doubled up to the other. A kubelet takes ten
/// seconds and five minutes.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(4)];
/// What a container has left to end in, however long its preStop took.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// A pod that the node can run.
struct Life {
    handle: Handle,
    facts: Facts,
    probes: Probes,
    making: Making,
    network: Arc<Network>,
    status: Status,
}

/// Why a container is not waited for any longer.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Exited(i32),
    Unhealthy,
    Fate(Fate),
}

/// A container with its probes' verdicts; dropping it ends both.
struct Run {
    container: Container,
    verdicts: mpsc::Receiver<Verdict>,
    _probing: JoinSet<()>,
}

/// Runs the pod that `object` describes.
pub async fn run(object: DynamicObject, shared: Arc<Shared>) {
    let mut handle = Handle::new(&object, &shared);
    if object.metadata.deletion_timestamp.is_some() {
        return handle.remove().await;
    }
    let life = match handle.bind(&object).await {
        Ok(()) => Life::new(&object, handle.clone()).await,
        Err(error) => Err(error),
    };
    match life {
        Ok(life) => life.live().await,
        // What was in its way may be that it is being deleted.
        Err(_) if handle.fate().is_some() => {}
        Err(error) => {
            handle.problem(&error);
            handle.report(json!({"status": {"phase": "Failed", "message": error}})).await;
            handle.meets_its_fate().await;
        }
    }
    handle.remove().await;
}

impl Life {
    async fn new(object: &DynamicObject, handle: Handle) -> Result<Self, String> {
        if let Some(unknown) = fields::unknown(&object.data["spec"]) {
            return Err(unknown);
        }
        let value = serde_json::to_value(object).map_err(|error| error.to_string())?;
        let pod: Pod = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let network = Arc::new(Network::add().await?);
        let facts = Facts::new(pod, &handle, network.address);
        let probes = Probes::of(&facts)?;
        let making = Making::new(&facts, &handle.shared).await?;
        Ok(Self { handle, facts, probes, making, network, status: Status::new() })
    }

    async fn live(mut self) {
        self.announce(None);
        let end = self.containers().await;
        self.announce(None);
        self.publish().await;
        if let End::Exited(_) = end {
            // A pod that has run to completion stays until somebody deletes it.
            self.handle.meets_its_fate().await;
        }
        self.handle.shared.forget(&self.facts);
    }

    /// One container after another, until no more is to come.
    async fn containers(&mut self) -> End {
        loop {
            let mut run = match self.start().await {
                Ok(run) => run,
                Err(fate) => return End::Fate(fate),
            };
            let end = self.watch(&mut run, true).await;
            let code = match end {
                End::Exited(code) => code,
                End::Fate(Fate::Gone) => return end,
                End::Fate(Fate::Deleted) | End::Unhealthy => self.end(&mut run).await,
            };
            drop(run);
            let deleted = end == End::Fate(Fate::Deleted);
            let again = !deleted && starts_again(self.facts.restart(), code);
            let message = self.message(code);
            self.status.ended(code, message, !again);
            if !again {
                return if deleted { end } else { End::Exited(code) };
            }
            self.announce(None);
            let restarts = self.status.restarts();
            self.publish().await;
            let doubled = BACKOFF[0] * 2u32.saturating_pow(restarts.saturating_sub(2));
            let pause = if restarts == 1 { Duration::ZERO } else { doubled.min(BACKOFF[1]) };
            tokio::select! {
                () = sleep(pause) => {}
                fate = self.handle.meets_its_fate() => return End::Fate(fate),
            }
        }
    }

    /// Starts a container once all that it needs is there.
    async fn start(&mut self) -> Result<Run, Fate> {
        loop {
            let log = self.handle.shared.log(&self.facts.namespace, &self.facts.name);
            let started = self
                .making
                .prepare(&self.facts)
                .and_then(|script| Container::start(&script, &self.network, &log).map_err(|error| error.to_string()));
            match started {
                Ok(container) => {
                    self.announce(Some(&container));
                    self.status.runs();
                    self.publish().await;
                    let (sender, verdicts) = mpsc::channel(8);
                    let mut probing = JoinSet::new();
                    probing.spawn(self.probes.clone().run(sender));
                    return Ok(Run { container, verdicts, _probing: probing });
                }
                Err(missing) if self.status.waits("CreateContainerConfigError", &missing) => self.publish().await,
                Err(_) => {}
            }
            if let Some(fate) = self.handle.fate() {
                return Err(fate);
            }
            self.handle.changed().await;
        }
    }

    /// Waits until something ends the container; `all` is false once it is being ended, when only readiness counts.
    async fn watch(&mut self, run: &mut Run, all: bool) -> End {
        loop {
            tokio::select! {
                code = run.container.ended() => return End::Exited(code),
                Some(verdict) = run.verdicts.recv() => match verdict {
                    Verdict::Started => self.status.has_started(),
                    Verdict::Ready(ready) => {
                        if self.status.is_ready(ready) {
                            self.publish().await;
                        }
                    }
                    Verdict::Unhealthy if all => return End::Unhealthy,
                    Verdict::Unhealthy => {}
                },
                () = self.handle.changed() => match self.handle.fate() {
                    Some(fate) if all || fate == Fate::Gone => return End::Fate(fate),
                    _ => if let Err(error) = self.making.write_volumes(&self.facts) {
                        // What was there stays, as with a kubelet.
                        eprintln!("{}: {error}", self.facts.name);
                    },
                },
            }
        }
    }

    /// Lets the container end as its spec says, and no longer than it may take; its exit code.
    async fn end(&mut self, run: &mut Run) -> i32 {
        let grace = self.handle.object().and_then(|object| object.metadata.deletion_grace_period_seconds);
        let grace = grace.map_or_else(|| self.facts.grace(), seconds);
        let mut deadline = Instant::now() + grace;
        let hook = self.pre_stop();
        tokio::select! {
            end = self.watch(run, false) => return self.settle(run, end).await,
            () = hook => {}
            () = sleep_until(deadline) => {}
        }
        run.container.terminate();
        deadline = deadline.max(Instant::now() + LEAST_GRACE);
        tokio::select! {
            end = self.watch(run, false) => self.settle(run, end).await,
            () = sleep_until(deadline) => {
                run.container.kill();
                run.container.ended().await
            }
        }
    }

    async fn settle(&self, run: &mut Run, end: End) -> i32 {
        if let End::Exited(code) = end {
            return code;
        }
        run.container.kill();
        run.container.ended().await
    }

    /// What the container's preStop asks for.
    fn pre_stop(&self) -> impl Future<Output = ()> + use<> {
        let lifecycle = self.facts.container().lifecycle.as_ref();
        let hook = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.clone());
        let pause = hook.as_ref().and_then(|hook| hook.sleep.as_ref()).map(|sleep| seconds(sleep.seconds));
        let ask = hook.and_then(|hook| self.asked(&hook));
        let patience = self.facts.grace();
        async move {
            if let Some(pause) = pause {
                sleep(pause).await;
            }
            if let Some(ask) = ask {
                ask.passes(patience).await;
            }
        }
    }

    fn asked(&self, hook: &LifecycleHandler) -> Option<Ask> {
        let get = hook.http_get.as_ref()?;
        Some(Ask::http(self.facts.address, self.facts.port(&get.port).ok()?, get.path.as_deref()))
    }

    /// What the container says at its end.
    fn message(&self, code: i32) -> String {
        let log = self.handle.shared.log(&self.facts.namespace, &self.facts.name);
        let policy = self.facts.container().termination_message_policy.as_deref();
        termination::message(&self.making.last_words(), policy, code, &log)
    }

    /// Says where the pod is to be found.
    fn announce(&self, container: Option<&Container>) {
        let process = container.map(Container::pid);
        self.handle.shared.announce(&self.facts, Running::new(&self.facts.uid, &self.network, process));
    }

    async fn publish(&self) {
        self.handle.report(self.status.object(&self.facts)).await;
    }
}
