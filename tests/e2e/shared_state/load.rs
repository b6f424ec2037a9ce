//! Conversations that go on until they are stopped, and every request that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::support::prompts::prompt;
use crate::support::{Answer, Reply, chat, eventually};

use super::site::Site;

/// Conversations through each replica.
const EACH: usize = 6;

/// The conversations; they must be stopped.
pub struct Load {
    running: JoinSet<Vec<String>>,
    goes_on: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Load {
    /// Conversations through all replicas of `site`, each of which grows with every turn.
    pub fn on(site: &Site) -> Self {
        site.engines.iter().for_each(|engine| engine.answer(Answer::After(Duration::from_millis(20))));
        let (goes_on, asked) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicUsize>::default());
        let mut running = JoinSet::new();
        for (replica, envoy) in site.envoys.iter().enumerate() {
            for number in 0..EACH {
                let (goes_on, asked, address) = (Arc::clone(&goes_on), Arc::clone(&asked), envoy.address());
                running.spawn(async move {
                    let mut failed = Vec::new();
                    let mut turn = 0;
                    while goes_on.load(Relaxed) {
                        // Half of them have a session, and all begin anew after a while.
                        let name = format!("{replica}-{number}-{}", turn / 12);
                        let session = (number % 2 == 0).then_some(name.as_str());
                        let text = prompt(&name, 2_000 + 700 * (turn % 12));
                        match Reply::to(address, chat(session, &text, "?")).await {
                            Some(reply) if reply.status.is_success() => {}
                            other => failed.push(other.map_or("no answer".to_owned(), |it| it.status.to_string())),
                        }
                        asked.fetch_add(1, Relaxed);
                        turn += 1;
                    }
                    failed
                });
            }
        }
        Self { running, goes_on, asked }
    }

    /// Waits until so many more requests were answered or failed.
    pub async fn goes_on(&self, more: usize) {
        let before = self.asked.load(Relaxed);
        eventually("the load goes on", async || (self.asked.load(Relaxed) >= before + more).then_some(())).await;
    }

    /// Stops it; panics if one request failed.
    pub async fn all_went_well(self) {
        self.goes_on.store(false, Relaxed);
        let failed = self.running.join_all().await.concat();
        assert!(failed.is_empty(), "of {} requests {} failed: {failed:?}", self.asked.load(Relaxed), failed.len());
        assert!(self.asked.load(Relaxed) > 50);
    }
}
