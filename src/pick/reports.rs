//! What engines say of themselves, taken into the state.

use std::time::Instant;

use crate::metrics::ScrapeLabel;
use crate::model::{Adapter, EndpointId, EngineReport};

use super::Picker;

impl Picker {
    /// Takes in one scrape of `endpoint` that was sent `at`: its report, or why it said nothing.
    ///
    /// Corrects the load by what no booking explains, sizes the prefix index to the engine's cache, notes its
    /// LoRA adapters, and forgets what is credited to an engine that has restarted.
    pub fn engine_said(&self, endpoint: EndpointId, said: Result<&EngineReport, ScrapeLabel>, at: Instant) {
        let pool = self.pool.load();
        let Some(member) = pool.get(endpoint) else { return };
        let outcome = match said {
            Ok(EngineReport { engine: Some(_), .. }) => ScrapeLabel::Good,
            Ok(_) => ScrapeLabel::UnknownNames,
            Err(label) => label,
        };
        self.metrics.scrapes.of(outcome).inc();
        let Ok(report) = said else {
            member.load.missed_report();
            return;
        };
        if member.lane.observe(report) {
            tracing::info!(endpoint = %member.endpoint.name, "the engine restarted; its prefix cache is taken as empty");
            member.load.restarted();
            self.index.forget(&member.lane, false);
        }
        if report.engine.is_none() {
            // It says nothing of its load.
            member.load.missed_report();
            return;
        }
        member.load.observe(report, at);
        if let Some(adapters) = &report.adapters {
            let loaded =
                || -> Vec<Adapter> { pool.members().iter().flat_map(|member| member.load.adapters().all()).collect() };
            self.adapters.learn(&adapters.in_use, loaded);
        }
    }

    /// `endpoint` is not asked any more, by configuration: what its engine said counts no longer.
    pub fn engine_not_asked(&self, endpoint: EndpointId) {
        if let Some(member) = self.pool.load().get(endpoint) {
            member.load.not_asked();
            self.adapters.forget();
        }
    }
}
