//! What Homing predicted of each request, against what its engine reported.

use std::collections::HashMap;

use anyhow::Context;
use serde::Serialize;

use crate::decisions::Decision;
use crate::drive::Exchange;

/// Requests after which predictions count: the bytes of a token are learned by then.
pub const LEARNING: usize = 100;

/// One request, predicted and reported, in tokens.
#[derive(Clone, Debug, Serialize)]
pub struct Predicted {
    pub number: usize,
    pub turn: usize,
    pub endpoint: String,
    pub reason: String,
    /// The prompt, as Homing estimated and as the engine counted.
    pub estimated_prompt: f64,
    pub prompt: u64,
    /// What the endpoint would compute of it by Homing, and what it had cached by its own word.
    pub predicted: f64,
    pub cached: u64,
}

/// A group of requests.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub group: &'static str,
    pub requests: usize,
    /// Uncached tokens, all together.
    pub predicted: f64,
    pub reported: f64,
    /// Of single requests, predicted less reported.
    pub off: Spread,
    /// The part of `off` that comes from the prompt's length.
    pub off_by_length: Spread,
    /// The part that comes from what was taken to be held.
    pub off_by_held: Spread,
}

/// How numbers are spread.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    pub mean: f64,
    pub p10: f64,
    pub p50: f64,
    pub p90: f64,
    /// The largest and the 90th percentile without regard to the sign.
    pub p90_absolute: f64,
    pub max_absolute: f64,
}

/// Joins exchanges with their decisions.
pub fn join(exchanges: &[Exchange], decisions: &HashMap<String, Decision>) -> anyhow::Result<Vec<Predicted>> {
    let joined = exchanges.iter().enumerate().map(|(number, Exchange { turn, answer })| {
        let decision =
            decisions.get(&answer.request_id).with_context(|| format!("request {number} was not decided"))?;
        Ok(Predicted {
            number,
            turn: *turn,
            endpoint: decision.endpoint.clone(),
            reason: decision.reason.clone(),
            estimated_prompt: decision.prompt_tokens,
            prompt: answer.prompt_tokens,
            predicted: decision.computed_tokens(),
            cached: answer.cached_tokens,
        })
    });
    joined.collect()
}

/// All that count, then apart: by what they could hit.
pub fn summaries(all: &[Predicted]) -> Vec<Summary> {
    let counted = all.get(LEARNING..).unwrap_or_default();
    let group = |group, belongs: fn(&Predicted) -> bool| {
        let of: Vec<&Predicted> = counted.iter().filter(|it| belongs(it)).collect();
        Summary::new(group, &of)
    };
    vec![
        group("all", |_| true),
        group("first turns", |it| it.turn == 0),
        group("later turns, at home", |it| it.turn > 0 && it.reason == "session"),
        group("later turns, elsewhere", |it| it.turn > 0 && it.reason != "session"),
        group("held less than predicted", Predicted::lost),
    ]
}

// === impl Predicted ===

impl Predicted {
    pub fn reported(&self) -> f64 {
        (self.prompt - self.cached) as f64
    }

    pub fn off(&self) -> f64 {
        self.predicted - self.reported()
    }

    pub fn off_by_length(&self) -> f64 {
        self.estimated_prompt - self.prompt as f64
    }

    pub fn off_by_held(&self) -> f64 {
        self.cached as f64 - (self.estimated_prompt - self.predicted)
    }

    /// Whether the engine had lost what it was taken to hold: by more than a block of the index and one of the engine.
    fn lost(&self) -> bool {
        self.off_by_held() < -200.0
    }
}

// === impl Summary ===

impl Summary {
    fn new(group: &'static str, of: &[&Predicted]) -> Self {
        let spread = |number: fn(&Predicted) -> f64| Spread::of(of.iter().map(|it| number(it)).collect());
        Self {
            group,
            requests: of.len(),
            predicted: of.iter().map(|it| it.predicted).sum(),
            reported: of.iter().map(|it| it.reported()).sum(),
            off: spread(Predicted::off),
            off_by_length: spread(Predicted::off_by_length),
            off_by_held: spread(Predicted::off_by_held),
        }
    }

    /// Predicted over reported, less 1.
    pub fn relative(&self) -> f64 {
        self.predicted / self.reported.max(1.0) - 1.0
    }
}

// === impl Spread ===

impl Spread {
    fn of(mut numbers: Vec<f64>) -> Self {
        if numbers.is_empty() {
            return Self::default();
        }
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let [p10, p50, p90] = [10, 50, 90].map(|percent| rank(&mut numbers, percent));
        let mut sizes: Vec<f64> = numbers.iter().map(|number| number.abs()).collect();
        let [p90_absolute, max_absolute] = [90, 100].map(|percent| rank(&mut sizes, percent));
        Self { mean, p10, p50, p90, p90_absolute, max_absolute }
    }
}

/// The nearest rank.
fn rank(numbers: &mut [f64], percent: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[(numbers.len() * percent).div_ceil(100).max(1) - 1]
}
