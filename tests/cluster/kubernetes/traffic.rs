//! Requests one after another for as long as a test wants, each answer noted.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::world::World;
use crate::support::envoy::Envoy;
use crate::support::{Connection, Protocol, chat, eventually};

/// Running traffic; dropping it ends it.
pub struct Traffic {
    answers: Arc<Mutex<Vec<(StatusCode, String)>>>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// Starts sending new sessions through the gateway of `world`.
    pub async fn start(world: &World) -> Self {
        Self::through(&world.envoy, "short").await
    }

    /// Starts sending new sessions that have the prompt `system` in common.
    pub async fn through(gateway: &Envoy, system: &str) -> Self {
        Self::over(gateway.connect(Protocol::Http1).await, system).await
    }

    /// The same over a connection.
    pub async fn over(mut connection: Connection, system: &str) -> Self {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let (seen, system) = (Arc::clone(&answers), system.to_owned());
        let task = tokio::spawn(async move {
            for n in 0.. {
                let reply = connection.exchange(chat(Some(&format!("newcomer-{n}")), &system, "hello")).await;
                seen.lock().push((reply.status, reply.served_by().to_owned()));
            }
        });
        let traffic = Self { answers, task };
        traffic.flows().await;
        traffic
    }

    /// Waits until some more requests have been answered.
    pub async fn flows(&self) {
        let before = self.count();
        eventually("traffic flows", async || (self.count() >= before + 20).then_some(())).await;
    }

    /// How many requests have been answered.
    pub fn count(&self) -> usize {
        self.answers.lock().len()
    }

    /// Who has answered how often since request number `from`.
    pub fn served_since(&self, from: usize) -> BTreeMap<String, usize> {
        let mut served = BTreeMap::new();
        for (_, engine) in self.answers.lock().iter().skip(from) {
            *served.entry(engine.clone()).or_default() += 1;
        }
        served
    }

    /// Ends it; no request may have failed.
    pub fn ends_well(self) {
        assert!(!self.task.is_finished(), "the traffic stopped");
        let answers = self.answers.lock();
        let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != StatusCode::OK).collect();
        assert!(failed.is_empty(), "{} of {} requests failed: {failed:?}", failed.len(), answers.len());
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}
