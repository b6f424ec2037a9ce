//! One endpoint's task: asks its engine once an interval, for as long as the endpoint is there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::scrape::{ScrapeError, Scraper};
use super::{Heard, Scrape, Target};
use crate::config::{ConfigReader, EngineChoice, EngineMetrics};
use crate::model::{EngineKind, EngineReport};

/// Intervals vary by this share to either side, so that pickers that started together drift apart.
const JITTER: f64 = 0.1;

/// All engines together are asked at most so often a second, so that a large pool costs a bounded share of a core.
const QUESTIONS_A_SECOND: f64 = 1_000.0;

/// Whose page is asked for: as configured, or as the engine itself gave away.
#[derive(Debug)]
struct Page {
    settings: EngineMetrics,
    /// The engine answered with JSON, as trtllm-serve's /metrics does, which must not be read again.
    gives_json: bool,
}

/// What one question came to, and where it was asked.
#[derive(Debug)]
pub struct Asked {
    /// Where the page is.
    pub address: SocketAddr,
    /// Its path.
    pub path: String,
    /// What it says, or why it is not known.
    pub outcome: Result<EngineReport, ScrapeError>,
}

/// What was logged of an engine already: changes are told, not every scrape.
#[derive(Debug, Default)]
struct Told {
    failing: bool,
    /// Once for each endpoint, however often it happens.
    unknown: bool,
    engine: Option<EngineKind>,
}

/// Asks the engine of `target`, one of as many as `engines` says, and hands every outcome to `report`. Never returns.
pub async fn ask(
    target: Target,
    engines: Arc<AtomicUsize>,
    scraper: Scraper,
    mut config: ConfigReader,
    report: impl Fn(Scrape),
) {
    let id = target.id;
    let (mut first, mut pause) = (true, rand::random_range(0.0..1.0));
    let mut page = Page { settings: config.load().engine_metrics.clone(), gives_json: false };
    let mut told = Told::default();
    let mut heard_of = false;
    loop {
        page.follow(&config.load().engine_metrics);
        if !page.settings.enabled {
            if std::mem::take(&mut heard_of) {
                report(Scrape { id, sent: Instant::now(), heard: Heard::NotAsked });
            }
            config.changed().await;
            continue;
        }
        let (wanted, engines) = (page.settings.interval, engines.load(Relaxed));
        let wait = if first { spread(wanted, engines) } else { interval(wanted, engines) };
        tokio::select! {
            () = sleep(wait.mul_f64(pause)) => first = false,
            () = config.changed() => continue,
        }
        let sent = Instant::now();
        let Asked { address, path, outcome } = page.ask(target, &scraper).await;
        told.tell(address, &path, &outcome);
        page.learn(&outcome);
        heard_of = true;
        report(Scrape { id, sent, heard: outcome.map_or_else(Heard::Failed, Heard::Said) });
        pause = rand::random_range(1.0 - JITTER..1.0 + JITTER);
    }
}

/// Asks the engine of `target` once, as `settings` say, and once more where its answer shows that its page is elsewhere.
pub async fn ask_once(target: Target, scraper: &Scraper, settings: &EngineMetrics) -> Asked {
    let mut page = Page { settings: settings.clone(), gives_json: false };
    let mut asked = page.ask(target, scraper).await;
    if matches!(asked.outcome, Err(ScrapeError::Json)) && !page.gives_json {
        page.learn(&asked.outcome);
        asked = page.ask(target, scraper).await;
    }
    asked
}

/// The time between two questions to one of so many engines, where `wanted` is configured.
fn interval(wanted: Duration, engines: usize) -> Duration {
    wanted.max(Duration::from_secs_f64(engines as f64 / QUESTIONS_A_SECOND))
}

/// The time within which engines that appear at once are asked first: soon, but not all at once.
fn spread(wanted: Duration, engines: usize) -> Duration {
    interval(wanted.mul_f64(JITTER), engines)
}

impl Page {
    async fn ask(&self, target: Target, scraper: &Scraper) -> Asked {
        let (address, path) = self.place(target.address);
        let EngineMetrics { engine, timeout, .. } = &self.settings;
        // What the endpoint speaks says nothing of another port: exporters speak HTTP/1.
        let http2 = target.http2 && address == target.address;
        let outcome = scraper.scrape(Target { address, http2, ..target }, path, engine.kind(), *timeout).await;
        Asked { address, path: path.to_owned(), outcome }
    }

    fn follow(&mut self, settings: &EngineMetrics) {
        if self.settings != *settings {
            *self = Self { settings: settings.clone(), gives_json: false };
        }
    }

    /// The address and the path of the page of the engine that serves at `own`.
    fn place(&self, own: SocketAddr) -> (SocketAddr, &str) {
        let EngineMetrics { engine, path, port, .. } = &self.settings;
        let mut at = own;
        at.set_port(port.or(engine.port()).unwrap_or(own.port()));
        if self.gives_json {
            return (at, EngineChoice::TrtllmServe.path());
        }
        (at, path.as_deref().unwrap_or(engine.path()))
    }

    fn learn(&mut self, outcome: &Result<EngineReport, ScrapeError>) {
        match outcome {
            Err(ScrapeError::Json) => self.gives_json = true,
            // Whatever starts there next may be another engine.
            Err(ScrapeError::Connect(_)) => self.gives_json = false,
            _ => {}
        }
    }
}

impl Told {
    fn tell(&mut self, at: SocketAddr, path: &str, outcome: &Result<EngineReport, ScrapeError>) {
        match outcome {
            Err(error) if !self.failing => {
                tracing::warn!(address = %at, path, %error, "the engine's metrics cannot be read");
            }
            Ok(_) if self.failing => tracing::info!(address = %at, path, "the engine's metrics can be read again"),
            _ => {}
        }
        self.failing = outcome.is_err();
        let Ok(report) = outcome else { return };
        match report.engine {
            None if !self.unknown => {
                self.unknown = true;
                tracing::warn!(
                    address = %at,
                    path,
                    "the metrics page has none of the names that Homing knows; it goes by its own bookings there. \
                     Is this the engine's metrics page, and are its metrics switched on?"
                );
            }
            Some(engine) if self.engine != Some(engine) => {
                self.engine = Some(engine);
                tracing::info!(address = %at, path, engine = engine.as_str(), "the engine's metrics are understood");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(change: impl FnOnce(&mut EngineMetrics)) -> Page {
        let mut settings = EngineMetrics::default();
        change(&mut settings);
        Page { settings, gives_json: false }
    }

    fn place(page: &Page) -> String {
        let (at, path) = page.place(([10, 0, 0, 1], 8000).into());
        format!("{at}{path}")
    }

    #[test]
    fn an_engine_is_asked_at_its_own_page_unless_told_otherwise() {
        assert_eq!(place(&page(|_| {})), "10.0.0.1:8000/metrics");
        let triton = |it: &mut EngineMetrics| it.engine = EngineChoice::TritonTensorrtLlm;
        assert_eq!(place(&page(triton)), "10.0.0.1:8002/metrics");
        let trtllm = |it: &mut EngineMetrics| it.engine = EngineChoice::TrtllmServe;
        assert_eq!(place(&page(trtllm)), "10.0.0.1:8000/prometheus/metrics");
        let told = |it: &mut EngineMetrics| (it.port, it.path) = (Some(9100), Some("/stats".into()));
        assert_eq!(place(&page(told)), "10.0.0.1:9100/stats");
    }

    #[test]
    fn all_engines_together_are_asked_at_most_a_thousand_times_a_second() {
        for (wanted, engines, first, then) in [
            (1_000, 0, 100, 1_000),
            (1_000, 1, 100, 1_000),
            (1_000, 1_000, 1_000, 1_000),
            (1_000, 2_000, 2_000, 2_000),
            (5_000, 2_000, 2_000, 5_000),
            (50, 100, 100, 100),
        ] {
            let [wait, first, then] = [wanted, first, then].map(Duration::from_millis);
            assert_eq!((spread(wait, engines), interval(wait, engines)), (first, then), "{wanted} ms, {engines}");
        }
    }

    #[test]
    fn a_page_of_json_is_not_read_again_until_the_engine_or_its_settings_are_others() {
        let mut page = page(|_| {});
        page.learn(&Err(ScrapeError::Json));
        assert_eq!(place(&page), "10.0.0.1:8000/prometheus/metrics");
        page.learn(&Ok(EngineReport::default()));
        page.follow(&EngineMetrics::default());
        assert_eq!(place(&page), "10.0.0.1:8000/prometheus/metrics");
        page.follow(&EngineMetrics { engine: EngineChoice::Vllm, ..EngineMetrics::default() });
        assert_eq!(place(&page), "10.0.0.1:8000/metrics");
    }
}
