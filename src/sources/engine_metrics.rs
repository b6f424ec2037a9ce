//! What the engines say of themselves, asked once an interval.
//!
//! [`run`] keeps one task for each endpoint, so that an engine that hangs delays nobody else, and
//! hands every outcome to its caller. Nothing waits for it: without reports the picker goes by its
//! own bookings.

mod parse;
mod scrape;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub use parse::{Page, parse};
pub use scrape::{ScrapeError, Scraper};

use crate::config::{ConfigReader, EngineMetrics};
use crate::model::{EndpointId, EngineReport};

/// Intervals vary by this share to either side, so that pickers that started together drift apart.
const JITTER: f64 = 0.1;

/// An engine to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The endpoint that the report is about.
    pub id: EndpointId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks HTTP/2 without TLS instead of HTTP/1.
    pub http2: bool,
}

/// One attempt to ask an engine.
#[derive(Debug)]
pub struct Scrape {
    /// The endpoint that was asked.
    pub id: EndpointId,
    /// When the request was sent: the report is at least this new.
    pub sent: Instant,
    /// What the engine said, or why it is not known.
    pub outcome: Result<EngineReport, ScrapeError>,
}

/// A task that ends with its handle.
struct Asking(JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks every target once an interval and hands each outcome to `report`; follows both inputs live.
///
/// Returns when the sender of the targets is gone. Dropping the future ends all its tasks.
pub async fn run<F>(mut targets: watch::Receiver<Vec<Target>>, config: ConfigReader, report: F)
where
    F: Fn(Scrape) + Clone + Send + 'static,
{
    let scraper = Scraper::new();
    let mut asking: HashMap<EndpointId, (Target, Asking)> = HashMap::new();
    loop {
        let wanted = targets.borrow_and_update().clone();
        let still: HashSet<Target> = wanted.iter().copied().collect();
        asking.retain(|_, (target, _)| still.contains(target));
        for target in wanted {
            asking.entry(target.id).or_insert_with(|| {
                let task = ask(target, scraper.clone(), config.clone(), report.clone());
                (target, Asking(tokio::spawn(task)))
            });
        }
        if targets.changed().await.is_err() {
            return;
        }
    }
}

async fn ask(target: Target, scraper: Scraper, mut config: ConfigReader, report: impl Fn(Scrape)) {
    let Target { id, address, .. } = target;
    // A pool that appears at once is not asked all at once.
    let mut pause = rand::random_range(0.0..JITTER);
    let mut failing = false;
    loop {
        let EngineMetrics { enabled, interval, timeout, path } = config.load().engine_metrics.clone();
        if !enabled {
            config.changed().await;
            continue;
        }
        tokio::select! {
            () = sleep(interval.mul_f64(pause)) => {}
            () = config.changed() => continue,
        }
        let sent = Instant::now();
        let outcome = scraper.scrape(target, &path, timeout).await;
        // Told when it changes, not each second.
        match &outcome {
            Err(error) if !failing => tracing::warn!(%address, %error, "the engine's metrics cannot be read"),
            Ok(_) if failing => tracing::info!(%address, "the engine's metrics can be read again"),
            _ => {}
        }
        failing = outcome.is_err();
        report(Scrape { id, sent, outcome });
        pause = rand::random_range(1.0 - JITTER..1.0 + JITTER);
    }
}

#[cfg(test)]
mod tests;
