//! What an engine's metrics page says, and when it begins to say it.
//!
//! An engine writes its page once a step, at the end of it, and counts there who waited and ran when the step was
//! planned. So a request is on the page up to two steps after it came: with long prompts that is half a second, however
//! often somebody looks.

use crate::replay::Seconds;

/// The numbers on the page.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that run.
    pub running: usize,
    /// Share of the cache that running requests use, 0 to 1.
    pub kv_usage: f64,
}

/// The page of one engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    shown: Gauges,
    /// What the step under way, or the first of a run, will show at its end.
    planned: Option<(Seconds, Gauges)>,
}

impl Page {
    /// A step was planned that ends at `ends`; of a run, the first step does.
    pub fn plan(&mut self, ends: Seconds, gauges: Gauges) {
        self.planned = Some((ends, gauges));
    }

    /// The step, or all of the run, has ended: of those that ran, these are left.
    pub fn step_ended(&mut self, running: usize, kv_usage: f64) {
        if let Some((_, planned)) = self.planned.take() {
            self.shown = Gauges { running, kv_usage, ..planned };
        }
    }

    /// What it says now.
    pub fn at(&self, now: Seconds) -> Gauges {
        self.planned.filter(|(ends, _)| *ends <= now).map_or(self.shown, |(_, planned)| planned)
    }
}
