//! One replay: a trace, a policy, some engines, and one loop over what happens next.
//!
//! At one moment engines come first, then scrapes, then arrivals: what ends is seen by what begins.

mod histogram;
mod load;
mod outcome;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::model::Now;
use crate::simulation::PrefixCache;

use super::engine::{Constants, Engine, Event, Job, Request};
use super::policy::{CacheScope, Kind, Policy, Said, Setting, Several};
use super::trace::{Arrival, Survey, Trace, TraceError};
use super::{Rate, Seconds};

pub use load::Load;
pub use outcome::{Outcome, Summary, Ttft};

/// What all replays of one comparison have in common.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// The requests.
    pub trace: &'a Trace,
    /// The trace in a few numbers.
    pub survey: &'a Survey,
    /// The engines; their block is the trace's.
    pub constants: Constants,
    /// How many engines; at least 1.
    pub replicas: usize,
    /// How many pickers, which share nothing; at least 1.
    pub pickers: usize,
    /// Time between two scrapes of one engine; where none is given, each policy's own.
    pub scrape: Option<Duration>,
    /// Whether requests without a session get that of their conversation, as far as their beginnings tell.
    pub sessions_by_prefix: bool,
    /// Where all chance comes from.
    pub seed: u64,
    /// The moment at which virtual time begins.
    pub base: Now,
}

/// One replay under way.
struct Replay<'a> {
    stage: &'a Stage<'a>,
    policy: Box<dyn Policy>,
    engines: Vec<Engine>,
    /// When each engine has something to tell; infinity while it is idle.
    events: Vec<Seconds>,
    scope: CacheScope,
    outcome: Outcome,
}

/// Replays the whole trace at `rate`.
///
/// Gives up once more requests than `most_misses` have missed the objective. `progress` is told how many requests
/// came, now and then.
///
/// # Errors
/// The trace cannot be read.
pub fn run(
    stage: &Stage<'_>,
    kind: &Kind,
    rate: Rate,
    most_misses: Option<u64>,
    progress: &mut dyn FnMut(u64),
) -> Result<Outcome, TraceError> {
    let pace = Pace::new(stage.survey, rate);
    let interval = stage.scrape.or(kind.scrape_interval()).map(|interval| interval.as_secs_f64());
    let mut replay = Replay::new(stage, kind);
    let mut arrivals = stage.trace.arrivals()?;
    let mut next_arrival = arrivals.next().transpose()?;
    // What is known before the first request: engines are asked as soon as they are found.
    let mut next_scrape = if kind.scrape_interval().is_some() { 0.0 } else { Seconds::INFINITY };
    let too_many = |outcome: &Outcome| most_misses.is_some_and(|most| outcome.misses() > most);
    loop {
        let (engine, event) = replay.next_event();
        let arrives = next_arrival.as_ref().map_or(Seconds::INFINITY, |arrival| pace.at(arrival));
        if event.is_infinite() && arrives.is_infinite() {
            break;
        }
        if event <= arrives && event <= next_scrape {
            replay.advance(engine, event);
            if too_many(&replay.outcome) {
                replay.outcome.give_up();
                break;
            }
        } else if next_scrape <= arrives {
            replay.scrape(next_scrape);
            next_scrape += interval.unwrap_or(Seconds::INFINITY);
        } else if let Some(arrival) = next_arrival.take() {
            if arrival.number % 64 == 0 {
                progress(arrival.number);
            }
            replay.arrive(arrival, arrives);
            next_arrival = arrivals.next().transpose()?;
        }
    }
    progress(stage.survey.requests);
    Ok(replay.outcome)
}

/// From the trace's time to that of the replay.
enum Pace {
    /// So many times as fast.
    Times(f64),
    /// So far apart, where the trace says nothing of time.
    Even(Seconds),
}

impl Pace {
    fn new(survey: &Survey, rate: Rate) -> Self {
        match (rate, survey.rate()) {
            (Rate::Times(times), Some(_)) => Self::Times(times),
            (Rate::Times(_), None) => Self::Even(0.0),
            (Rate::PerSecond(rate), Some(own)) => Self::Times(rate / own),
            (Rate::PerSecond(rate), None) => Self::Even(1.0 / rate),
        }
    }

    fn at(&self, arrival: &Arrival) -> Seconds {
        match self {
            Self::Times(times) => arrival.at / times,
            Self::Even(gap) => arrival.number as f64 * gap,
        }
    }
}

impl<'a> Replay<'a> {
    fn new(stage: &'a Stage<'a>, kind: &Kind) -> Self {
        let Stage { survey, constants, replicas, seed, base, .. } = *stage;
        let (block_tokens, blocks) = (constants.block_tokens, constants.blocks());
        let setting = Setting { replicas, block_tokens, blocks, seed, survey, base };
        let scope = kind.cache_scope();
        let shared = match scope {
            CacheScope::Own => None,
            CacheScope::Pooled => Some(blocks * replicas),
            // Far beyond any trace, and far from overflow.
            CacheScope::Infinite => Some(usize::MAX / 4),
        };
        let shared = shared.map(|blocks| Rc::new(RefCell::new(PrefixCache::new(blocks))));
        let engine = || match &shared {
            Some(cache) => Engine::new(constants, Rc::clone(cache)),
            None => Engine::with_own_cache(constants),
        };
        Self {
            stage,
            policy: if stage.pickers == 1 {
                kind.build(&setting)
            } else {
                Box::new(Several::new(kind, stage.pickers, &setting))
            },
            engines: (0..replicas).map(|_| engine()).collect(),
            events: vec![Seconds::INFINITY; replicas],
            scope,
            outcome: Outcome::default(),
        }
    }

    /// The engine whose step ends next, and when.
    fn next_event(&self) -> (usize, Seconds) {
        let mut next = (0, Seconds::INFINITY);
        for (engine, at) in self.events.iter().enumerate() {
            if *at < next.1 {
                next = (engine, *at);
            }
        }
        next
    }

    fn advance(&mut self, number: usize, now: Seconds) {
        let Self { policy, outcome, stage, .. } = self;
        let mut made_room = false;
        self.engines[number].advance(|event| match event {
            Event::FirstToken { request, cached_tokens } => {
                policy.first_token(&request, number, now);
                outcome.first_token(&request, cached_tokens, now, &stage.constants);
            }
            Event::Finished { request } => {
                policy.finished(&request, number, now);
                made_room = true;
            }
        });
        if made_room && self.scope != CacheScope::Own {
            self.engines.iter_mut().filter(|engine| engine.waiting() > 0).for_each(|engine| engine.look_again(now));
            self.events.clear();
            self.events.extend(self.engines.iter().map(next_event));
        }
        self.look_at(number, now);
    }

    /// Takes down when an engine has something to tell next, and what it has to do.
    fn look_at(&mut self, number: usize, now: Seconds) {
        let engine = &self.engines[number];
        self.events[number] = next_event(engine);
        self.outcome.load_of(number, engine.running() + engine.waiting(), now);
    }

    fn scrape(&mut self, now: Seconds) {
        for (number, engine) in self.engines.iter().enumerate() {
            let constants = engine.constants();
            let gauges = engine.gauges(now);
            let said = Said { gauges, block_tokens: constants.block_tokens, blocks: constants.blocks() };
            self.policy.scraped(number, &said, now);
        }
    }

    fn arrive(&mut self, mut arrival: Arrival, now: Seconds) {
        if self.stage.sessions_by_prefix && arrival.session.is_none() {
            arrival.session = Some(arrival.conversation(self.stage.survey.shared.len()).to_string());
        }
        let Some(number) = self.policy.pick(&arrival, &self.engines, now) else {
            self.outcome.refused();
            return;
        };
        let Arrival { input_tokens, output_tokens, .. } = arrival;
        let request = Request { number: arrival.number, arrived: now, input_tokens, output_tokens };
        let job = Job { request, chain: std::mem::take(&mut arrival.chain) };
        if self.engines[number].submit(now, job).is_err() {
            self.policy.rejected(&arrival, number, now);
            self.outcome.too_long();
        }
        self.look_at(number, now);
    }
}

fn next_event(engine: &Engine) -> Seconds {
    engine.next_event().unwrap_or(Seconds::INFINITY)
}

#[cfg(test)]
mod tests;
