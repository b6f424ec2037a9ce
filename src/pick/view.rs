//! What the admin port and the metrics page show of the pool.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use serde::Serialize;

use crate::model::EngineKind;

use super::Picker;

/// One endpoint as it stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    /// Its name.
    pub name: Arc<str>,
    /// Its `ip:port`.
    pub address: Arc<str>,
    /// Its weight; 0 or less is out.
    pub weight: f64,
    /// Whether it takes no new sessions.
    pub draining: bool,
    /// Whether it serves now; one that does not is expected back.
    pub ready: bool,
    /// Whether it may end soon, because there are newer ones of its kind.
    pub outdated: bool,
    /// Tokens sent there whose first byte has not come back.
    pub waiting_tokens: f64,
    /// Requests in flight there.
    pub in_flight: u32,
    /// Share of recent failures, 0 to 1.
    pub failure_share: f64,
    /// What a whole mean request is charged there for recent failures, in tokens.
    pub penalty: f64,
    /// Prefill speed as learned, in tokens per second.
    pub prefill_speed: f64,
    /// Prefix blocks that it is taken to hold.
    pub indexed_blocks: usize,
    /// Prefix blocks that its cache can hold.
    pub capacity_blocks: usize,
    /// Picks of it so far.
    pub picks: u64,
    /// Whose metrics its engine told, at the last good scrape; `None` where there was none.
    pub engine: Option<EngineKind>,
    /// Seconds since that scrape; `None` where there was none.
    pub scrape_age: Option<f64>,
    /// Share of KV blocks that running requests hold, 0 to 1; `None` where the engine does not say, or not lately.
    pub kv_usage: Option<f64>,
    /// LoRA adapters that it is taken to have loaded.
    pub adapters: usize,
}

impl Picker {
    /// All endpoints of the pool.
    pub fn endpoints(&self, now: Instant) -> Vec<EndpointView> {
        let config = self.config.load();
        let bytes_per_token = self.estimates.bytes_per_token();
        let pool = self.pool.load();
        let views = pool.members().iter().map(|member| {
            let failure_share = member.load.failure_share(now);
            EndpointView {
                name: member.endpoint.name.clone(),
                address: member.destination.clone(),
                weight: member.endpoint.weight,
                draining: member.endpoint.draining,
                ready: member.endpoint.ready,
                outdated: member.endpoint.outdated,
                waiting_tokens: member.load.waiting_tokens(self.estimates.uncached_tokens()),
                in_flight: member.load.in_flight(),
                failure_share,
                penalty: failure_share * self.estimates.pick_cost(),
                prefill_speed: member.load.prefill_speed(),
                indexed_blocks: member.lane.len(),
                capacity_blocks: member.lane.capacity_blocks(&config.prefix_index, bytes_per_token),
                picks: member.load.picks(),
                engine: member.load.said().engine(),
                scrape_age: member.load.said().age(now).map(|age| age.as_secs_f64()),
                kv_usage: member.load.said().kv_usage(),
                adapters: member.load.adapters().count(),
            }
        });
        views.collect()
    }

    /// Brings the gauges up to date; called when the metrics page is asked for.
    pub fn refresh_gauges(&self, now: Instant) {
        let metrics = &self.metrics;
        let views = self.endpoints(now);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.endpoints.set(count(views.len()));
        metrics.eligible_endpoints.set(count(views.iter().filter(|view| view.ready && view.weight > 0.0).count()));
        metrics.session_entries.set(count(self.sessions.len()));
        metrics.index_bytes.set(count(self.pool.load().members().iter().map(|member| member.lane.bytes()).sum()));
        metrics.bytes_per_token.set(self.estimates.bytes_per_token());
        let gauges = [&metrics.waiting_tokens, &metrics.in_flight, &metrics.blocks, &metrics.failure_share];
        for gauges in gauges.into_iter().chain([&metrics.scrape_age, &metrics.kv_usage]) {
            gauges.clear();
        }
        metrics.endpoint_picks.clear();
        for view in views {
            let label = [("endpoint", view.name.to_string())];
            metrics.waiting_tokens.get_or_create(&label).set(view.waiting_tokens);
            metrics.in_flight.get_or_create(&label).set(f64::from(view.in_flight));
            metrics.blocks.get_or_create(&label).set(view.indexed_blocks as f64);
            metrics.failure_share.get_or_create(&label).set(view.failure_share);
            metrics.endpoint_picks.get_or_create(&label).inner().store(view.picks, Relaxed);
            for (gauges, value) in [(&metrics.scrape_age, view.scrape_age), (&metrics.kv_usage, view.kv_usage)] {
                if let Some(value) = value {
                    gauges.get_or_create(&label).set(value);
                }
            }
        }
    }
}
