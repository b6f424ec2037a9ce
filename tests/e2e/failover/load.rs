//! A steady stream of requests that goes on whatever becomes of each, and notes what did.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::StatusCode;
use parking_lot::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::prompts::{prompt, with};
use crate::support::{Connection, Protocol, Reply, chat, eventually, within};

/// Requests a second. The rate is the load's and nothing is asserted of it.
pub const RATE: u32 = 200;

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// When it was sent.
    pub began: Instant,
    /// The status; `None` where the answer was cut, or never came.
    pub status: Option<StatusCode>,
}

impl Outcome {
    pub fn is_good(&self) -> bool {
        self.status == Some(StatusCode::OK)
    }
}

/// Running traffic; dropping it ends it.
pub struct Load {
    outcomes: Arc<Mutex<BTreeMap<usize, Outcome>>>,
    /// The number of the next request.
    next: Arc<AtomicUsize>,
    task: JoinHandle<JoinSet<()>>,
    stop: Arc<tokio::sync::Notify>,
}

impl Load {
    /// Starts sending to the gateway at `gateway`, each request over a connection of its own.
    pub fn start(gateway: SocketAddr) -> Self {
        let (outcomes, next, stop) = (Arc::default(), Arc::default(), Arc::new(tokio::sync::Notify::new()));
        let task = tokio::spawn(send_all(gateway, Arc::clone(&outcomes), Arc::clone(&next), Arc::clone(&stop)));
        Self { outcomes, next, task, stop }
    }

    /// The number of the request that is sent next: all that are sent from now on have this one or a higher.
    pub fn next(&self) -> usize {
        self.next.load(Relaxed)
    }

    /// The requests that are known to have failed by now.
    pub fn failed(&self) -> Vec<usize> {
        let outcomes = self.outcomes.lock();
        outcomes.iter().filter(|(_, outcome)| !outcome.is_good()).map(|(number, _)| *number).collect()
    }

    /// Waits until `count` more requests have been sent and answered.
    pub async fn flows(&self, count: usize) {
        let from = self.next();
        eventually("traffic flows", async || (self.outcomes.lock().range(from..).count() >= count).then_some(())).await;
    }

    /// Stops sending, waits for the last answers, and tells what became of all.
    pub async fn ends(self) -> BTreeMap<usize, Outcome> {
        self.stop.notify_one();
        let mut running = within("the last request is sent", self.task).await.expect("the load does not panic");
        within("the last answers", async { while running.join_next().await.is_some() {} }).await;
        self.outcomes.lock().clone()
    }
}

/// The id under which request `number` is known to everybody.
pub fn request_id(number: usize) -> String {
    format!("load-{number}")
}

async fn send_all(
    gateway: SocketAddr,
    outcomes: Arc<Mutex<BTreeMap<usize, Outcome>>>,
    next: Arc<AtomicUsize>,
    stop: Arc<tokio::sync::Notify>,
) -> JoinSet<()> {
    let mut running = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let system = prompt("load", 1_000);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.notified() => return running,
        }
        let number = next.fetch_add(1, Relaxed);
        let request = with(chat(None, &system, &format!("question {number}")), "x-request-id", &request_id(number));
        let (began, outcomes) = (Instant::now(), Arc::clone(&outcomes));
        running.spawn(async move {
            let answered = async {
                let mut connection = Connection::open(gateway, Protocol::Http1).await?;
                let response = connection.send(request).await.ok()?;
                Some(Reply::read(response).await.ok()?.status)
            };
            // Longer than anything here takes: only what hangs ends by it.
            let status = tokio::time::timeout(Duration::from_secs(15), answered).await.ok().flatten();
            outcomes.lock().insert(number, Outcome { began, status });
        });
        while running.try_join_next().is_some() {}
    }
}
