//! The highest rate of arrivals that still meets the objective.

use super::Rate;
use super::policy::Kind;
use super::run::{Outcome, Stage, Summary, run};
use super::trace::TraceError;

/// So many of the requests shall see their first token in time.
pub const SHARE: f64 = 0.9;
/// The rate is known once it is between two that differ by no more than this share.
const PRECISION: f64 = 0.01;
/// How far the first tries go up or down, until one meets the objective and one does not.
const STRIDE: f64 = 1.5;
/// No engine serves at a rate below this part of what it computes without any hit.
const LOWEST: f64 = 1.0 / 64.0;
/// ... nor above so many times that.
const HIGHEST: f64 = 64.0;

/// A capacity and what it was like there.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Requests in a second; 0 where not even a trickle met the objective.
    pub rate: f64,
    /// At that rate.
    pub outcome: Outcome,
    /// Every rate that was replayed to its end, and what came of it. Those that missed the objective were not.
    pub tried: Vec<(f64, Summary)>,
}

/// Finds the capacity of `kind`. `progress` is told which share of the search is done, 0 to 1, and when one of its
/// replays is under way.
///
/// # Errors
/// The trace cannot be read.
pub fn capacity(stage: &Stage<'_>, kind: &Kind, progress: &mut dyn FnMut(f64)) -> Result<Capacity, TraceError> {
    let requests = stage.survey.requests;
    let most_misses = (stage.counted() as f64 * (1.0 - SHARE)) as u64;
    let cold = cold_rate(stage);
    let mut bracket = Bracket::default();
    let mut rate = 0.5 * cold;
    loop {
        let done = bracket.done();
        let left = 1.0 / (bracket.tries_left() + 1.0);
        let mut within = |arrived: u64| progress(done + (1.0 - done) * left * arrived as f64 / requests as f64);
        let outcome = run(stage, kind, Rate::PerSecond(rate), Some(most_misses), &mut within)?;
        bracket.tried(rate, outcome);
        match bracket.next() {
            Some(next) if (LOWEST * cold..=HIGHEST * cold).contains(&next) => rate = next,
            _ => break,
        }
    }
    progress(1.0);
    match bracket.met {
        Some((rate, outcome)) => Ok(Capacity { rate, outcome, tried: bracket.whole }),
        None => {
            let outcome = run(stage, kind, Rate::PerSecond(rate), None, &mut |_| {})?;
            Ok(Capacity { rate: 0.0, tried: vec![(rate, outcome.summary())], outcome })
        }
    }
}

/// Requests in a second that the engines compute if none is cached and none is generated.
fn cold_rate(stage: &Stage<'_>) -> f64 {
    let mean = stage.survey.input_tokens / stage.survey.requests;
    stage.replicas as f64 / stage.constants.cold_prefill(mean.max(1))
}

/// The highest rate that met the objective, and the lowest that did not.
#[derive(Default)]
struct Bracket {
    met: Option<(f64, Outcome)>,
    missed: Option<f64>,
    whole: Vec<(f64, Summary)>,
    tries: u32,
}

impl Bracket {
    fn tried(&mut self, rate: f64, outcome: Outcome) {
        self.tries += 1;
        if outcome.meets(SHARE) {
            self.whole.push((rate, outcome.summary()));
            self.met = Some((rate, outcome));
        } else {
            self.missed = Some(rate);
        }
    }

    /// What to try next; nothing where the two are close enough.
    fn next(&self) -> Option<f64> {
        match (&self.met, self.missed) {
            (Some((met, _)), Some(missed)) => (missed / met > 1.0 + PRECISION).then(|| (met * missed).sqrt()),
            (Some((met, _)), None) => Some(met * STRIDE),
            (None, Some(missed)) => Some(missed / STRIDE),
            (None, None) => None,
        }
    }

    /// Replays that are left, about: the distance is halved by each.
    fn tries_left(&self) -> f64 {
        let distance = match (&self.met, self.missed) {
            (Some((met, _)), Some(missed)) => missed / met,
            _ => STRIDE,
        };
        (distance.ln() / (1.0 + PRECISION).ln()).log2().max(0.0).ceil()
    }

    fn done(&self) -> f64 {
        f64::from(self.tries) / (f64::from(self.tries) + self.tries_left()).max(1.0)
    }
}

#[cfg(test)]
mod tests;
