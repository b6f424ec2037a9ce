//! The engine model: one queue, one prefill at a time, decodes beside it, a prefix cache below.
//!
//! Jobs are prefilled in the order they came; only tokens that the cache lacks cost time. The first
//! token comes when the prefill ends, the others one decode step apart. Room for prompt and answer is
//! taken when the prefill starts and kept to the end, so nothing is ever preempted: a job that finds no
//! room waits, and all behind it wait too.
//!
//! Time is an argument, counted from any fixed moment, and must not go backwards. What happens by
//! itself between two calls comes out of [`Engine::advance`]; [`Engine::next_event`] says when to call.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::cache::{Hold, PrefixCache};
use super::constants::Constants;
use super::job::Job;

/// The model of one engine.
#[derive(Debug)]
pub struct Engine {
    constants: Constants,
    cache: PrefixCache,
    waiting: VecDeque<(JobId, Job)>,
    prefill: Option<Prefill>,
    decoding: HashMap<JobId, Decode>,
    /// When each decode ends.
    endings: BTreeSet<(Duration, JobId)>,
    happened: VecDeque<(Duration, Event)>,
    totals: Totals,
    next_id: u64,
}

/// Names one job of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(u64);

/// What happened inside an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A prefill ended.
    FirstToken(FirstToken),
    /// An answer is complete.
    Finished(JobId),
}

/// The end of a job's prefill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstToken {
    /// Whose.
    pub job: JobId,
    /// Tokens of its prompt that the cache held.
    pub cached_tokens: u64,
}

/// Counters since the engine started, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Prompt tokens that were looked up in the cache.
    pub queried: u64,
    /// Of these, found.
    pub hit: u64,
    /// Prompt tokens computed by finished prefills.
    pub computed: u64,
    /// Prompt tokens that finished prefills took from the cache.
    pub reused: u64,
    /// Tokens of answers.
    pub generated: u64,
}

#[derive(Debug)]
struct Prefill {
    id: JobId,
    job: Job,
    hold: Hold,
    cached_tokens: u64,
    started: Duration,
    ends: Duration,
}

#[derive(Debug)]
struct Decode {
    job: Job,
    hold: Hold,
    started: Duration,
    ends: Duration,
}

// === impl Engine ===

impl Engine {
    /// An idle engine with an empty cache.
    pub fn new(constants: Constants) -> Self {
        Self {
            constants,
            cache: PrefixCache::new(constants.blocks()),
            waiting: VecDeque::new(),
            prefill: None,
            decoding: HashMap::new(),
            endings: BTreeSet::new(),
            happened: VecDeque::new(),
            totals: Totals::default(),
            next_id: 0,
        }
    }

    /// Puts a job at the end of the queue.
    pub fn submit(&mut self, now: Duration, job: Job) -> JobId {
        self.run_until(now);
        let id = JobId(self.next_id);
        self.next_id += 1;
        self.waiting.push_back((id, job));
        self.start_next(now);
        id
    }

    /// Drops a job wherever it is, because nobody waits for it any more; its room is free at once and
    /// what was computed stays in the cache. A job that is finished or unknown is left alone.
    pub fn abort(&mut self, now: Duration, id: JobId) {
        self.run_until(now);
        if let Some(position) = self.waiting.iter().position(|(waiting, _)| *waiting == id) {
            self.waiting.remove(position);
        } else if let Some(prefill) = self.prefill.take_if(|prefill| prefill.id == id) {
            self.stop_prefill(now, prefill);
        } else if let Some(decode) = self.decoding.remove(&id) {
            self.endings.remove(&(decode.ends, id));
            self.end_decode(now, decode);
        }
        self.start_next(now);
    }

    /// Lets time pass; returns what happened since the last call, with its time, in order.
    pub fn advance(&mut self, now: Duration) -> impl Iterator<Item = (Duration, Event)> + '_ {
        self.run_until(now);
        self.happened.drain(..)
    }

    /// When the next thing happens by itself; `None` when nothing will.
    pub fn next_event(&self) -> Option<Duration> {
        let happened = self.happened.front().map(|(at, _)| *at);
        let prefill = self.prefill.as_ref().map(|prefill| prefill.ends);
        let ending = self.endings.first().map(|(at, _)| *at);
        [happened, prefill, ending].into_iter().flatten().min()
    }

    /// Jobs whose prefill has not started.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Jobs in prefill or decode.
    pub fn running(&self) -> usize {
        usize::from(self.prefill.is_some()) + self.decoding.len()
    }

    /// Share of the cache that running jobs use, 0 to 1.
    pub fn kv_usage(&self) -> f64 {
        self.cache.in_use() as f64 / self.cache.capacity().max(1) as f64
    }

    /// Counters since the start.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What it was built with.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    fn run_until(&mut self, now: Duration) {
        loop {
            let ending = self.endings.first().copied().filter(|(at, _)| *at <= now);
            let prefill = self.prefill.as_ref().map(|prefill| prefill.ends).filter(|ends| *ends <= now);
            match (ending, prefill) {
                // An answer that ends with a prefill makes room first.
                (Some((at, id)), prefill) if prefill.is_none_or(|ends| at <= ends) => self.finish(at, id),
                (_, Some(ends)) => self.end_prefill(ends),
                (_, None) => break,
            }
        }
    }

    fn start_next(&mut self, now: Duration) {
        if self.prefill.is_some() {
            return;
        }
        let Some((_, job)) = self.waiting.front() else { return };
        let Some(hold) = self.cache.admit(&job.chain[..job.reusable_blocks], job.total_blocks) else { return };
        let Some((id, job)) = self.waiting.pop_front() else { return };
        let cached_tokens = hold.cached_blocks() as u64 * self.constants.block_tokens;
        self.totals.queried += job.prompt_tokens;
        self.totals.hit += cached_tokens;
        let ends = now + self.constants.prefill(job.prompt_tokens - cached_tokens);
        self.prefill = Some(Prefill { id, job, hold, cached_tokens, started: now, ends });
    }

    fn end_prefill(&mut self, at: Duration) {
        let Some(Prefill { id, job, mut hold, cached_tokens, .. }) = self.prefill.take() else { return };
        self.cache.commit(&mut hold, &job.chain[..job.prompt_blocks]);
        self.totals.computed += job.prompt_tokens - cached_tokens;
        self.totals.reused += cached_tokens;
        self.happened.push_back((at, Event::FirstToken(FirstToken { job: id, cached_tokens })));
        let ends = at + self.constants.decode(job.output_tokens);
        self.endings.insert((ends, id));
        self.decoding.insert(id, Decode { job, hold, started: at, ends });
        self.start_next(at);
    }

    /// Keeps the blocks that were computed before the job was dropped.
    fn stop_prefill(&mut self, now: Duration, prefill: Prefill) {
        let Prefill { job, mut hold, cached_tokens, started, .. } = prefill;
        let computed = now.saturating_sub(started).as_secs_f64() * self.constants.prefill_tokens_per_second;
        let blocks = (cached_tokens + computed as u64) / self.constants.block_tokens;
        let blocks = usize::try_from(blocks).unwrap_or(usize::MAX).min(job.prompt_blocks);
        self.cache.commit(&mut hold, &job.chain[..blocks]);
        self.cache.release(hold);
    }

    fn finish(&mut self, at: Duration, id: JobId) {
        self.endings.remove(&(at, id));
        if let Some(decode) = self.decoding.remove(&id) {
            self.end_decode(at, decode);
            self.happened.push_back((at, Event::Finished(id)));
        }
        self.start_next(at);
    }

    /// Keeps the blocks of the answer as far as it came, the way engines cache what they generate.
    fn end_decode(&mut self, at: Duration, decode: Decode) {
        let Decode { job, mut hold, started, ends } = decode;
        let generated = if at >= ends {
            job.output_tokens
        } else {
            let steps = at.saturating_sub(started).as_nanos() / self.constants.decode_step.as_nanos().max(1);
            u64::try_from(steps).unwrap_or(u64::MAX).saturating_add(1).min(job.output_tokens)
        };
        self.totals.generated += generated;
        let blocks = (job.prompt_tokens + generated) / self.constants.block_tokens;
        let blocks = usize::try_from(blocks).unwrap_or(usize::MAX).min(job.chain.len());
        self.cache.commit(&mut hold, &job.chain[..blocks]);
        self.cache.release(hold);
    }
}

#[cfg(test)]
mod tests;
