//! What the engines say of themselves, asked once an interval.
//!
//! [`run`] keeps one task for each endpoint, so that an engine that hangs delays nobody else, and
//! hands every outcome to its caller; [`ask_once`] is for who wants to know only once. Nothing waits for it: without reports the picker goes by its
//! own bookings.

mod ask;
mod parse;
mod scrape;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use ask::{Asked, ask_once};
pub use parse::{Page, parse};
pub use scrape::{ScrapeError, Scraper};

use crate::config::ConfigReader;
use crate::model::{EndpointId, EngineReport};

/// An engine to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The endpoint that the report is about.
    pub id: EndpointId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks HTTP/2 without TLS instead of HTTP/1 there.
    pub http2: bool,
}

/// What an attempt to ask an engine came to.
#[derive(Debug)]
pub enum Heard {
    /// Its page was read; it may still have no name that we know.
    Said(EngineReport),
    /// It said nothing.
    Failed(ScrapeError),
    /// It is not asked any more: what it said will grow old.
    NotAsked,
}

/// One attempt to ask an engine.
#[derive(Debug)]
pub struct Scrape {
    /// The endpoint that was asked.
    pub id: EndpointId,
    /// When the request was sent: the report is at least this new.
    pub sent: Instant,
    /// What the engine said, or why it is not known.
    pub heard: Heard,
}

/// A task that ends with its handle.
struct Asking(JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks every target once an interval and hands each outcome to `report`; follows both inputs live.
/// The interval is longer where there are so many targets that a second would see more than 1,000 questions.
///
/// Returns when the sender of the targets is gone. Dropping the future ends all its tasks.
pub async fn run<F>(mut targets: watch::Receiver<Vec<Target>>, config: ConfigReader, report: F)
where
    F: Fn(Scrape) + Clone + Send + 'static,
{
    let scraper = Scraper::new();
    let engines = Arc::<AtomicUsize>::default();
    let mut asking: HashMap<EndpointId, (Target, Asking)> = HashMap::new();
    loop {
        let wanted = targets.borrow_and_update().clone();
        engines.store(wanted.len(), Relaxed);
        let still: HashSet<Target> = wanted.iter().copied().collect();
        asking.retain(|_, (target, _)| still.contains(target));
        for target in wanted {
            asking.entry(target.id).or_insert_with(|| {
                let task = ask::ask(target, Arc::clone(&engines), scraper.clone(), config.clone(), report.clone());
                (target, Asking(tokio::spawn(task)))
            });
        }
        if targets.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
