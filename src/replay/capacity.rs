//! The highest rate of arrivals that still meets the objective.

mod search;

use super::policy::Kind;
use super::run::{Outcome, ReplayError, Stage, Summary, run};
use super::{Rate, Seconds};
use search::search;

pub use search::Found;

/// One in so many requests may see its first token too late.
pub const ONE_IN: u64 = 10;
/// No engine serves at a rate below this part of what it computes without any hit.
const LOWEST: f64 = 1.0 / 64.0;
/// ... nor above so many times that.
const HIGHEST: f64 = 64.0;
/// A replay that is over before an engine has computed so many prompts shows no queue.
const TELLING_PREFILLS: f64 = 20.0;

/// A capacity and what it was like there.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// What the search came to, in requests a second.
    pub found: Found,
    /// The rate that was replayed last to the end.
    pub rate: f64,
    /// At that rate.
    pub outcome: Outcome,
    /// Every rate that was replayed to its end, and what came of it. Those that missed the objective were not.
    pub tried: Vec<(f64, Summary)>,
    /// How long the replay was, where that is too short to tell.
    pub too_short: Option<Seconds>,
}

impl Capacity {
    /// Requests in a second; 0 where not even a trickle met the objective.
    pub fn per_second(&self) -> f64 {
        match self.found {
            Found::Rate(rate) | Found::AtLeast(rate) => rate,
            Found::Below(_) => 0.0,
        }
    }

    /// Why it is not simply a capacity, if it is not.
    pub fn doubts(&self) -> Vec<String> {
        let ended = match self.found {
            Found::Rate(_) => None,
            Found::AtLeast(rate) => Some(format!("the capacity is at least {rate:.2}/s: the search ended there")),
            Found::Below(rate) => Some(format!("the capacity is below {rate:.2}/s: the search ended there")),
        };
        let short = self.too_short.map(|length| {
            format!("at this rate the trace is over in {length:.1} s, which is too short to tell: take a longer one")
        });
        ended.into_iter().chain(short).collect()
    }
}

/// Finds the capacity of `kind`. `progress` is told which share of the search is done, 0 to 1, and when one of its
/// replays is under way.
///
/// # Errors
/// The trace cannot be read, a replay does not end, or no request fits into an engine.
pub fn capacity(stage: &Stage<'_>, kind: &Kind, progress: &mut dyn FnMut(f64)) -> Result<Capacity, ReplayError> {
    let requests = stage.survey.requests as f64;
    let most_misses = stage.counted() / ONE_IN;
    let cold = cold_prefill(stage);
    // Requests in a second that the engines compute if none is cached and none is generated.
    let cold_rate = stage.replicas as f64 / cold;
    let (mut met, mut done, mut tries) = (Vec::new(), 0.0f64, 0.0);
    let found = search(0.5 * cold_rate, (LOWEST * cold_rate, HIGHEST * cold_rate), |rate, left| {
        let mut within = |arrived: u64| {
            // The search may turn back, what is done does not.
            done = done.max((tries + arrived as f64 / requests) / (tries + left));
            progress(done.min(1.0));
        };
        let outcome = run(stage, kind, Rate::PerSecond(rate), Some(most_misses), &mut within)?;
        tries += 1.0;
        if outcome.left_out() >= stage.counted() {
            return Err(ReplayError::NothingFits);
        }
        let meets = outcome.meets(ONE_IN);
        if meets {
            met.push((rate, outcome));
        }
        Ok(meets)
    })?;
    progress(1.0);
    let mut tried: Vec<_> = met.iter().map(|(rate, outcome)| (*rate, outcome.summary())).collect();
    let (rate, outcome) = match found {
        Found::Below(rate) => (rate, run(stage, kind, Rate::PerSecond(rate), None, &mut |_| {})?),
        Found::Rate(rate) | Found::AtLeast(rate) => {
            let place = met.iter().position(|(met, _)| *met == rate).expect("what is found was met");
            met.swap_remove(place)
        }
    };
    if tried.is_empty() {
        tried.push((rate, outcome.summary()));
    }
    let length = stage.counted() as f64 / rate;
    let too_short = (length < TELLING_PREFILLS * cold).then_some(length);
    Ok(Capacity { found, rate, outcome, tried, too_short })
}

/// Time that the trace's mean prompt takes on an idle engine with an empty cache.
fn cold_prefill(stage: &Stage<'_>) -> Seconds {
    let mean = stage.survey.input_tokens / stage.survey.requests.max(1);
    stage.constants.cold_prefill(mean.max(1))
}

#[cfg(test)]
mod tests;
