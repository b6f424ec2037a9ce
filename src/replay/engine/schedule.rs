//! What each step does: who gets which part of its budget, who is admitted, and what its end brings.

use crate::replay::Seconds;

use super::batch::{Decode, Prefill};
use super::step::Step;
use super::{Constants, Engine, Event, Gauges, Request, SharedCache, Waiting};

impl Engine {
    /// Plans the next step, if there is anything to do.
    pub(super) fn begin_step(&mut self, at: Seconds) {
        let decodes = self.decodes.len() as u64;
        let mut budget = self.constants.step_tokens.saturating_sub(decodes);
        let (mut prefill_work, mut context) = (0.0, self.decodes.context());
        for prefill in &mut self.prefills {
            budget -= prefill.take(budget);
            commit(prefill, &self.constants, &self.cache);
        }
        while budget > 0 && self.running() < self.constants.max_sequences {
            let Some(mut prefill) = self.admit() else { break };
            budget -= prefill.take(budget);
            commit(&mut prefill, &self.constants, &self.cache);
            self.prefills.push(prefill);
        }
        for prefill in self.prefills.iter().filter(|prefill| prefill.chunk > 0) {
            prefill_work += self.constants.work(prefill.done, prefill.done + prefill.chunk);
            context += prefill.done + prefill.chunk;
        }
        let chunks = self.prefills.iter().any(|prefill| prefill.chunk > 0);
        let steps = if chunks { Some(1) } else { self.decodes.steps_to_next_end() };
        let Some(steps) = steps else { return };
        let step = Step::new(at, steps, decodes, prefill_work, context, &self.constants);
        self.page.plan(step.first_end(&self.constants), self.live());
        self.step = Some(step);
    }

    /// Admits who has waited longest, if there is room.
    fn admit(&mut self) -> Option<Prefill> {
        let Waiting { job, .. } = self.waiting.front()?;
        let Request { input_tokens, output_tokens, .. } = job.request;
        let total = self.constants.blocks_of(input_tokens + output_tokens);
        let reusable = self.reusable(&job.chain, input_tokens);
        let hold = self.cache.borrow_mut().admit(&job.chain[..reusable], total)?;
        let Waiting { job, work } = self.waiting.pop_front()?;
        let cached_tokens = hold.cached_blocks() as u64 * self.constants.block_tokens;
        self.pending_work += self.constants.work(cached_tokens, input_tokens) - work;
        Some(Prefill { request: job.request, chain: job.chain, hold, cached_tokens, done: cached_tokens, chunk: 0 })
    }

    /// Takes in what a step has done.
    pub(super) fn end_step(&mut self, step: &Step, tell: &mut impl FnMut(Event)) {
        self.decodes.advance(step.steps);
        while let Some(decode) = self.decodes.pop_ended() {
            self.finish(decode, tell);
        }
        for place in 0..self.prefills.len() {
            let prefill = &mut self.prefills[place];
            self.pending_work -= self.constants.work(prefill.done, prefill.done + prefill.chunk);
            self.computed_tokens += prefill.chunk;
            prefill.done += std::mem::take(&mut prefill.chunk);
        }
        let is_done = |prefill: &mut Prefill| prefill.done == prefill.request.input_tokens;
        let done: Vec<Prefill> = self.prefills.extract_if(.., is_done).collect();
        if self.prefills.is_empty() && self.waiting.is_empty() {
            // What adding and subtracting left over would decide among engines that are equal.
            self.pending_work = 0.0;
        }
        for Prefill { request, hold, cached_tokens, .. } in done {
            tell(Event::FirstToken { request, cached_tokens });
            let decode = Decode { request, hold };
            if request.output_tokens > 1 { self.decodes.push(decode) } else { self.finish(decode, tell) }
        }
        self.page.step_ended(self.live());
    }

    fn live(&self) -> Gauges {
        let cache = self.cache.borrow();
        let kv_usage = cache.in_use() as f64 / cache.capacity().max(1) as f64;
        Gauges { waiting: self.waiting(), running: self.running(), kv_usage }
    }

    fn finish(&mut self, Decode { request, hold }: Decode, tell: &mut impl FnMut(Event)) {
        self.cache.borrow_mut().release(hold);
        tell(Event::Finished { request });
    }
}

/// Lets others hit the blocks that this step fills: a layer writes them before it reads them.
fn commit(prefill: &mut Prefill, constants: &Constants, cache: &SharedCache) {
    let filled = usize::try_from((prefill.done + prefill.chunk) / constants.block_tokens).unwrap_or(usize::MAX);
    let filled = &prefill.chain[..filled.min(prefill.chain.len())];
    cache.borrow_mut().commit(&mut prefill.hold, filled);
}
