//! What came of a replay.

use serde::Serialize;

use crate::replay::Seconds;
use crate::replay::engine::{Constants, Request};

use super::Load;
use super::histogram::Histogram;

/// A first token is in time within this ...
const PATIENCE: Seconds = 1.0;
/// ... and so many times the time that the prompt takes on an idle engine with an empty cache.
const COLD_PREFILLS: f64 = 2.0;

/// Counts of one replay.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The first so many requests count nowhere.
    warm_up: u64,
    /// Requests of whom the replay knows what became, those that do not count included.
    ended: u64,
    ttft: Histogram,
    input_tokens: u64,
    cached_tokens: u64,
    in_time: u64,
    refused: u64,
    too_long: u64,
    failed: Failed,
    /// Whether the replay was ended early.
    gave_up: bool,
    load: Load,
}

/// Requests that their replica failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Before their first token.
    pub unanswered: u64,
    /// In the middle of their answer.
    pub cut_off: u64,
}

/// An outcome in a few numbers; not a number, where nobody was there to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Share of the prompts' tokens that engines found in their caches, 0 to 1.
    pub hit_ratio: f64,
    /// Time to first token.
    pub ttft_s: Ttft,
    /// Share of requests whose first token was in time, 0 to 1.
    pub slo_attainment: f64,
}

/// Time to first token, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ttft {
    /// The mean.
    pub mean: Seconds,
    /// The median.
    pub p50: Seconds,
    /// One in ten is slower.
    pub p90: Seconds,
    /// One in a hundred is slower.
    pub p99: Seconds,
}

impl Outcome {
    /// Nothing happened yet; of the first `warm_up` requests nothing will be told.
    pub(super) fn new(warm_up: u64) -> Self {
        Self { warm_up, ..Self::default() }
    }

    /// The first token of a request came.
    pub(in crate::replay) fn first_token(
        &mut self,
        request: &Request,
        cached_tokens: u64,
        now: Seconds,
        constants: &Constants,
    ) {
        if !self.ends(request.number) {
            return;
        }
        let ttft = now - request.arrived;
        self.ttft.add(ttft);
        self.input_tokens = self.input_tokens.saturating_add(request.input_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(cached_tokens);
        let objective = PATIENCE + COLD_PREFILLS * constants.cold_prefill(request.input_tokens);
        self.in_time += u64::from(ttft <= objective);
    }

    /// The picker refused a request.
    pub(super) fn refused(&mut self, number: u64) {
        self.refused += u64::from(self.ends(number));
    }

    /// A request was too long for every engine: it counts nowhere else.
    pub(super) fn too_long(&mut self, number: u64) {
        self.too_long += u64::from(self.ends(number));
    }

    /// A request failed with its replica. One that saw its first token was in time or not; the others were not.
    pub(super) fn failed(&mut self, number: u64, saw_first_token: bool) {
        if saw_first_token {
            self.failed.cut_off += u64::from(self.counts(number));
        } else {
            self.failed.unanswered += u64::from(self.ends(number));
        }
    }

    /// It is known now what became of a request; returns whether it counts.
    fn ends(&mut self, number: u64) -> bool {
        self.ended += 1;
        self.counts(number)
    }

    fn counts(&self, number: u64) -> bool {
        number >= self.warm_up
    }

    /// An engine has so many requests from now on.
    pub(super) fn load_of(&mut self, engine: usize, in_flight: usize, now: Seconds) {
        self.load.set(engine, in_flight, now);
    }

    /// Ends it early.
    pub(super) fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// Requests that were too long for an engine, and left out.
    pub fn left_out(&self) -> u64 {
        self.too_long
    }

    /// Requests that were served, were refused, failed or were too long, those that do not count included.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// Requests that the picker refused.
    pub fn turned_away(&self) -> u64 {
        self.refused
    }

    /// Requests that failed with their replica.
    pub fn lost(&self) -> Failed {
        self.failed
    }

    /// Requests that saw their first token.
    pub fn served(&self) -> u64 {
        self.ttft.count()
    }

    /// Requests whose first token came too late or never.
    pub fn misses(&self) -> u64 {
        self.ttft.count() - self.in_time + self.refused + self.failed.unanswered
    }

    /// The engines' load over time.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Whether anybody asked, no more than one in `one_in` of them missed the objective, and nothing was ended early.
    pub fn meets(&self, one_in: u64) -> bool {
        !self.gave_up && self.asked() > 0 && self.misses().saturating_mul(one_in) <= self.asked()
    }

    /// In a few numbers.
    pub fn summary(&self) -> Summary {
        let ttft = &self.ttft;
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| ttft.quantile(share));
        Summary {
            hit_ratio: self.cached_tokens as f64 / self.input_tokens as f64,
            ttft_s: Ttft { mean: ttft.mean(), p50, p90, p99 },
            slo_attainment: self.in_time as f64 / self.asked() as f64,
        }
    }

    /// Requests that an engine could have served.
    fn asked(&self) -> u64 {
        self.ttft.count() + self.refused + self.failed.unanswered
    }
}
