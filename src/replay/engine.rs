//! The engine model, iteration by iteration: continuous batching with chunked prefill over a prefix cache.
//!
//! A step computes one token of every answer and, with what is left of its budget, chunks of prompts: first of those
//! that run, then of those that wait, in the order they came. Room for prompt and answer is reserved when a request
//! is admitted and kept to its end, so nothing is preempted: a request that finds no room waits, and all behind it
//! wait too. Blocks are hits for others as soon as the step begins that computes them.
//!
//! Steps that only decode are all alike but for the context, which grows by a token a request. So a run of them is one
//! jump with a closed form, up to where an answer ends or a request comes.
//!
//! Time is an argument. [`Engine::advance`] tells what happened; [`Engine::next_event`] says when to call it.

mod batch;
mod constants;
mod gauges;
mod schedule;
mod step;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::simulation::{BlockHash, PrefixCache};

use super::Seconds;
use batch::{Decode, Decodes, Prefill};
use gauges::Page;
use step::Step;

pub use constants::{Constants, Profile};
pub use gauges::Gauges;

/// A cache that one engine has to itself, or that all share where a bound is sought.
pub type SharedCache = Rc<RefCell<PrefixCache>>;

/// What follows a request through the simulation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Its number in the trace, from 0.
    pub number: u64,
    /// When it came.
    pub arrived: Seconds,
    /// Tokens of its prompt; at least 1.
    pub input_tokens: u64,
    /// Tokens of its answer; at least 1.
    pub output_tokens: u64,
}

/// What an engine has to do for one request.
#[derive(Clone, Debug)]
pub struct Job {
    /// Whose.
    pub request: Request,
    /// The full blocks of its prompt.
    pub chain: Vec<BlockHash>,
}

/// What happened inside an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A prompt is computed, and the first token of its answer.
    FirstToken {
        /// Whose.
        request: Request,
        /// Tokens of its prompt that the cache held.
        cached_tokens: u64,
    },
    /// An answer is complete.
    Finished {
        /// Whose.
        request: Request,
    },
}

/// A request that is longer than the whole cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// The model of one engine.
#[derive(Debug)]
pub struct Engine {
    constants: Constants,
    cache: SharedCache,
    waiting: VecDeque<Waiting>,
    prefills: Vec<Prefill>,
    decodes: Decodes,
    step: Option<Step>,
    page: Page,
    /// Work of prompts that wait or are begun, by what was cached when it was last looked at.
    pending_work: f64,
    computed_tokens: u64,
}

#[derive(Debug)]
struct Waiting {
    job: Job,
    /// Its part of the engine's pending work.
    work: f64,
}

impl Engine {
    /// An idle engine over `cache`, which counts blocks of `constants`.
    pub fn new(constants: Constants, cache: SharedCache) -> Self {
        Self {
            constants,
            cache,
            waiting: VecDeque::new(),
            prefills: Vec::new(),
            decodes: Decodes::default(),
            step: None,
            page: Page::default(),
            pending_work: 0.0,
            computed_tokens: 0,
        }
    }

    /// An idle engine with an empty cache of its own.
    pub fn with_own_cache(constants: Constants) -> Self {
        Self::new(constants, Rc::new(RefCell::new(PrefixCache::new(constants.blocks()))))
    }

    /// Puts a request at the end of the queue.
    ///
    /// # Errors
    /// It needs more room than the engine has; nothing has changed then.
    pub fn submit(&mut self, now: Seconds, job: Job) -> Result<(), TooLong> {
        let Request { input_tokens, output_tokens, .. } = job.request;
        if !self.constants.can_hold(input_tokens, output_tokens) {
            return Err(TooLong);
        }
        let work = self.constants.work(self.cached_tokens(&job.chain, input_tokens), input_tokens);
        self.pending_work += work;
        self.waiting.push_back(Waiting { job, work });
        self.look_again(now);
        Ok(())
    }

    /// Something may be admitted now that could not be before: a request came, or others made room.
    pub fn look_again(&mut self, now: Seconds) {
        match &mut self.step {
            Some(step) => step.end_soon(now, &self.constants),
            None => self.begin_step(now),
        }
    }

    /// Ends everything at once and without an answer. Returns whose requests it had, and whether they had seen their
    /// first token; what they held in the cache is free.
    pub fn fail(&mut self) -> Vec<(Request, bool)> {
        let mut lost: Vec<_> = self.waiting.drain(..).map(|waiting| (waiting.job.request, false)).collect();
        let mut cache = self.cache.borrow_mut();
        for Prefill { request, hold, .. } in self.prefills.drain(..) {
            cache.release(hold);
            lost.push((request, false));
        }
        for Decode { request, hold } in std::mem::take(&mut self.decodes).into_all() {
            cache.release(hold);
            lost.push((request, true));
        }
        (self.step, self.page, self.pending_work) = (None, Page::default(), 0.0);
        lost
    }

    /// When the step under way ends; `None` while it is idle.
    pub fn next_event(&self) -> Option<Seconds> {
        self.step.as_ref().map(|step| step.ends)
    }

    /// Ends the step that ends at [`Self::next_event`], begins the next, and tells what happened.
    pub fn advance(&mut self, mut tell: impl FnMut(Event)) {
        let Some(step) = self.step.take() else { return };
        self.end_step(&step, &mut tell);
        self.begin_step(step.ends);
    }

    /// Requests that are not admitted yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Requests that have been admitted and are not complete.
    pub fn running(&self) -> usize {
        self.prefills.len() + self.decodes.len()
    }

    /// What its metrics page says at `now`, which is no earlier than anything that it was told.
    pub fn gauges(&self, now: Seconds) -> Gauges {
        self.page.at(now)
    }

    /// Tokens of prompts computed in steps that have ended.
    pub fn computed_tokens(&self) -> u64 {
        self.computed_tokens
    }

    /// Work of prompts that wait or are begun, in tokens of an empty context.
    pub fn pending_work(&self) -> f64 {
        self.pending_work
    }

    /// What it was built with.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// Tokens of a prompt of `input_tokens` that it holds. The last token is always computed, for its logits.
    pub fn cached_tokens(&self, chain: &[BlockHash], input_tokens: u64) -> u64 {
        let reusable = self.reusable(chain, input_tokens);
        self.cache.borrow().lookup(&chain[..reusable]) as u64 * self.constants.block_tokens
    }

    /// When a request that came now would see its first token, with all that is known of this engine; an estimate
    /// only in that nobody else comes, and that room is there when it is needed.
    pub fn predicted_first_token(&self, now: Seconds, chain: &[BlockHash], input_tokens: u64) -> Seconds {
        let own = self.constants.work(self.cached_tokens(chain, input_tokens), input_tokens);
        let (mut begins, mut ahead) = (now, self.pending_work);
        if let Some(step) = &self.step {
            begins = step.soonest_end(now, &self.constants);
            ahead -= step.prefill_work;
        }
        let decodes = self.decodes.len() as f64;
        let budget = (self.constants.step_tokens as f64 - decodes).max(1.0);
        let work = ahead.max(0.0) + own;
        let steps = (work / budget).max(1.0);
        let step = self.constants.step((work / steps) + decodes, self.decodes.context() as f64);
        begins + steps * step
    }

    fn reusable(&self, chain: &[BlockHash], input_tokens: u64) -> usize {
        let tokens = input_tokens.saturating_sub(1);
        usize::try_from(tokens / self.constants.block_tokens).unwrap_or(usize::MAX).min(chain.len())
    }
}

#[cfg(test)]
mod tests;
