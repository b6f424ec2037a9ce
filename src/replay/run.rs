//! One replay: a trace, a policy, some engines, and one loop over what happens next.
//!
//! At one moment engines come first, then changes, scrapes and arrivals: what ends is seen by what begins.
//!
//! All that a replica had when it failed fails: engines send the head of a streamed answer at once, and after that no
//! gateway tries again. Until the pool knows of it, what is sent there gets no connection and fails too.

mod conversations;
mod histogram;
mod load;
mod membership;
mod outcome;
mod pace;
mod replay;
mod scrapes;

use std::time::Duration;

use crate::model::Now;

use super::change::Change;
use super::copies::Copies;
use super::engine::Constants;
use super::policy::Kind;
use super::trace::{Survey, Trace, TraceError};
use super::{Rate, Seconds};
use pace::Pace;
use replay::Replay;
use scrapes::Scrapes;

pub use load::Load;
pub use outcome::{Failed, Outcome, Summary, Ttft};

/// Nobody waits for longer: a hundred years.
const LONGEST: Seconds = 100.0 * 365.25 * 86_400.0;

/// What all replays of one comparison have in common.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// The requests.
    pub trace: &'a Trace,
    /// So many times over at once; at least 1.
    pub copies: usize,
    /// All copies of the trace in a few numbers.
    pub survey: &'a Survey,
    /// The engines; their block is the trace's.
    pub constants: Constants,
    /// How many engines; at least 1.
    pub replicas: usize,
    /// How many pickers, which share nothing; at least 1.
    pub pickers: usize,
    /// Time between two scrapes of one engine; where none is given, each policy's own.
    pub scrape: Option<Duration>,
    /// Whether requests without a session get that of the conversation that they go on.
    pub sessions_by_prefix: bool,
    /// The first so many requests fill the caches, and count nowhere.
    pub warm_up: u64,
    /// What happens to the replicas, in the order of the times.
    pub changes: &'a [Change],
    /// Where all chance comes from.
    pub seed: u64,
    /// The moment at which virtual time begins.
    pub base: Now,
}

/// Why a replay tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// It takes more virtual time than anybody has.
    #[error(
        "the replay would take more than a hundred years of virtual time: the rate is too low, or the engines too slow"
    )]
    TooLong,
    /// Some requests neither were served nor failed.
    #[error("{missing} of {requests} requests never end: with these constants the engines do not")]
    Endless {
        /// How many.
        missing: u64,
        /// Of so many.
        requests: u64,
    },
    /// There is nothing that could be served.
    #[error("every request is longer than an engine's cache")]
    NothingFits,
}

impl Stage<'_> {
    /// Requests that count.
    pub fn counted(&self) -> u64 {
        self.survey.requests.saturating_sub(self.warm_up)
    }
}

/// Replays the whole trace at `rate`.
///
/// Gives up once more requests than `most_misses` have missed the objective. `progress` is told how many requests
/// came, now and then.
///
/// # Errors
/// The trace cannot be read, or the replay would not end.
pub fn run(
    stage: &Stage<'_>,
    kind: &Kind,
    rate: Rate,
    most_misses: Option<u64>,
    progress: &mut dyn FnMut(u64),
) -> Result<Outcome, ReplayError> {
    let pace = Pace::new(stage.survey, rate);
    let mut replay = Replay::new(stage, kind);
    let mut scrapes = Scrapes::new(kind.scrape_interval().map(|own| stage.scrape.unwrap_or(own)));
    let mut arrivals = Copies::new(stage.trace, stage.survey, stage.copies)?;
    let mut next_arrival = arrivals.next().transpose()?;
    let mut arrived = 0;
    loop {
        let (engine, event) = replay.next_event();
        let arrives = next_arrival.as_ref().map_or(Seconds::INFINITY, |arrival| pace.at(arrival));
        if event.is_infinite() && next_arrival.is_none() {
            break;
        }
        let changes = replay.next_change();
        if event.is_infinite() {
            scrapes.skip_to(arrives.min(changes));
        }
        let is_late = |at: Seconds| at.is_nan() || at > LONGEST;
        if event.is_finite() && is_late(event) || next_arrival.is_some() && is_late(arrives) {
            return Err(ReplayError::TooLong);
        }
        if event <= arrives && event <= scrapes.next() && event <= changes {
            replay.advance(engine, event);
            if most_misses.is_some_and(|most| replay.outcome.misses() > most) {
                replay.outcome.give_up();
                return Ok(replay.outcome);
            }
            scrapes.wake();
        } else if changes <= scrapes.next() && changes <= arrives {
            replay.change();
            scrapes.wake();
        } else if scrapes.next() <= arrives {
            replay.scrape(scrapes.take());
        } else if let Some(arrival) = next_arrival.take() {
            if arrival.number % 64 == 0 {
                progress(arrival.number);
            }
            replay.arrive(arrival, arrives);
            scrapes.wake();
            arrived += 1;
            next_arrival = arrivals.next().transpose()?;
        }
    }
    progress(stage.survey.requests);
    match arrived - replay.outcome.ended() {
        0 => Ok(replay.outcome),
        missing => Err(ReplayError::Endless { missing, requests: arrived }),
    }
}

#[cfg(test)]
mod tests;
