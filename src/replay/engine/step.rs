//! One step of an engine, or a run of steps that only decode.

use crate::replay::Seconds;

use super::Constants;

/// What is under way.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    begins: Seconds,
    /// When it ends, or the last of the run does.
    pub ends: Seconds,
    /// Steps in the run; 1 where prompts are computed.
    pub steps: u64,
    /// Work of the prompts' chunks, in tokens.
    pub prefill_work: f64,
    decodes: f64,
    context: f64,
}

impl Step {
    /// `steps` steps from `begins` on, of so many answers and so much prefill, over so many tokens of context.
    pub fn new(
        begins: Seconds,
        steps: u64,
        decodes: u64,
        prefill_work: f64,
        context: u64,
        constants: &Constants,
    ) -> Self {
        let mut step =
            Self { begins, ends: begins, steps, prefill_work, decodes: decodes as f64, context: context as f64 };
        step.ends = step.end_of(steps, constants);
        step
    }

    /// Ends the run with the step that is under way at `now`, so that something new can begin.
    pub fn end_soon(&mut self, now: Seconds, constants: &Constants) {
        if self.steps > 1 {
            self.steps = self.under_way(now, constants);
            self.ends = self.end_of(self.steps, constants);
        }
    }

    /// When the first step of the run ends.
    pub fn first_end(&self, constants: &Constants) -> Seconds {
        self.end_of(1, constants)
    }

    /// When it would end if something new came now.
    pub fn soonest_end(mut self, now: Seconds, constants: &Constants) -> Seconds {
        self.end_soon(now, constants);
        self.ends
    }

    /// Which step of the run is under way, from 1: the first that ends after `now`.
    fn under_way(&self, now: Seconds, constants: &Constants) -> u64 {
        let (mut ended, mut last) = (0, self.steps);
        while last - ended > 1 {
            let middle = ended + (last - ended) / 2;
            if self.end_of(middle, constants) <= now { ended = middle } else { last = middle }
        }
        last
    }

    /// When the first `steps` steps of the run have ended. Each step reads one token more of every answer.
    fn end_of(&self, steps: u64, constants: &Constants) -> Seconds {
        let count = steps as f64;
        let first = constants.step(self.prefill_work + self.decodes, self.context);
        let growth = self.decodes * constants.kv_read * count * (count - 1.0) / 2.0;
        self.begins + count * first + growth
    }
}
