//! What engines say of themselves, taken into the state.

use crate::metrics::Taken;
use crate::model::{EndpointId, EngineReport};

use super::Picker;

impl Picker {
    /// Takes in one scrape of `endpoint`: its report, or `None` where it did not answer.
    ///
    /// Corrects the load by what no booking explains, sizes the prefix index to the engine's cache, and
    /// forgets what is credited to an engine that has restarted.
    pub fn engine_said(&self, endpoint: EndpointId, report: Option<&EngineReport>) {
        let pool = self.pool.load();
        let Some(member) = pool.get(endpoint) else { return };
        self.metrics.scrapes.of(if report.is_some() { Taken::Good } else { Taken::Bad }).inc();
        let Some(report) = report else {
            member.load.missed_report();
            return;
        };
        member.load.observe(report);
        if member.lane.observe(report) {
            tracing::info!(endpoint = %member.endpoint.name, "the engine restarted; its prefix cache is taken as empty");
            member.load.forget_foreign();
            self.index.forget(&member.lane, false);
        }
    }
}
