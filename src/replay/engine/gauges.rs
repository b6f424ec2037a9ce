//! What an engine's metrics page says, and when it begins to say it.
//!
//! An engine writes its page at the end of each step. So a request is on it up to a step after it came: with long
//! prompts that is 0.2 s, however often somebody looks.

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
    /// What the first step of the run under way shows from its end on; those after it show the same.
    planned: Option<(Seconds, Gauges)>,
}

impl Page {
    /// A step was planned that ends at `ends`; of a run, the first step does.
    pub fn plan(&mut self, ends: Seconds, gauges: Gauges) {
        self.planned = Some((ends, gauges));
    }

    /// The step, or all of the run, has ended: this is what it left.
    pub fn step_ended(&mut self, gauges: Gauges) {
        self.planned = None;
        self.shown = gauges;
    }

    /// What it says now.
    pub fn at(&self, now: Seconds) -> Gauges {
        self.planned.filter(|(ends, _)| *ends <= now).map_or(self.shown, |(_, planned)| planned)
    }
}
