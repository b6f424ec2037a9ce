//! One replay: a trace, a policy, some engines, and one loop over what happens next.
//!
//! At one moment engines come first, then changes, scrapes, what pickers tell each other, and arrivals: what ends is
//! seen by what begins.
//!
//! All that a replica had when it failed fails: engines send the head of a streamed answer at once, and after that no
//! gateway tries again. Until the pool knows of it, what is sent there gets no connection and fails too.

mod histogram;
mod load;
mod outcome;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::model::Now;
use crate::simulation::PrefixCache;

use super::change::{Change, NOTICED, What};
use super::engine::{Constants, Engine, Event, Job, Request, SharedCache};
use super::policy::{CacheScope, Kind, Policy, Said, Setting, Several};
use super::trace::{Arrival, Survey, Trace, TraceError};
use super::{Rate, Seconds};

pub use load::Load;
pub use outcome::{Failed, Outcome, Summary, Ttft};

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
    /// How many pickers; at least 1.
    pub pickers: usize,
    /// Time between two exchanges of what they know; `None` where they share nothing.
    pub share_every: Option<Duration>,
    /// Time between two scrapes of one engine; where none is given, each policy's own.
    pub scrape: Option<Duration>,
    /// Whether requests without a session get that of their conversation, as far as their beginnings tell.
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

impl Stage<'_> {
    /// Requests that count.
    pub fn counted(&self) -> u64 {
        self.survey.requests.saturating_sub(self.warm_up)
    }

    fn counts(&self, number: u64) -> bool {
        number >= self.warm_up
    }
}

/// One replay under way.
struct Replay<'a> {
    stage: &'a Stage<'a>,
    policy: Box<dyn Policy>,
    engines: Vec<Engine>,
    /// When each engine has something to tell; infinity while it is idle.
    events: Vec<Seconds>,
    scope: CacheScope,
    /// The cache that all share, if they do. It does not grow with the pool.
    shared: Option<SharedCache>,
    /// The numbers of those to whom requests are sent, in order.
    members: Vec<usize>,
    dead: Vec<bool>,
    /// What is still to happen, the next last.
    changes: Vec<Change>,
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
        let changes = replay.changes.last().map_or(Seconds::INFINITY, |change| change.at);
        let exchange = replay.policy.next_event();
        if event <= arrives && event <= next_scrape && event <= changes && event <= exchange {
            replay.advance(engine, event);
            if too_many(&replay.outcome) {
                replay.outcome.give_up();
                break;
            }
        } else if changes <= next_scrape && changes <= arrives && changes <= exchange {
            replay.change();
        } else if next_scrape <= arrives && next_scrape <= exchange {
            replay.scrape(next_scrape);
            next_scrape += interval.unwrap_or(Seconds::INFINITY);
        } else if exchange <= arrives {
            replay.policy.advance(exchange);
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
        let setting = Setting { replicas, block_tokens, blocks, seed, survey, base, replica: None };
        let scope = kind.cache_scope();
        let shared = match scope {
            CacheScope::Own => None,
            CacheScope::Pooled => Some(blocks * replicas),
            // Far beyond any trace, and far from overflow.
            CacheScope::Infinite => Some(usize::MAX / 4),
        };
        let shared = shared.map(|blocks| Rc::new(RefCell::new(PrefixCache::new(blocks))));
        let mut replay = Self {
            stage,
            policy: if stage.pickers == 1 {
                kind.build(&setting)
            } else {
                Box::new(Several::new(kind, stage.pickers, stage.share_every, &setting))
            },
            engines: Vec::new(),
            events: Vec::new(),
            scope,
            shared,
            members: Vec::new(),
            dead: Vec::new(),
            changes: stage.changes.iter().rev().copied().collect(),
            outcome: Outcome::default(),
        };
        replay.add(replicas, 0.0);
        replay
    }

    /// So many engines join the pool.
    fn add(&mut self, count: usize, now: Seconds) {
        for _ in 0..count {
            self.members.push(self.engines.len());
            self.engines.push(match &self.shared {
                Some(cache) => Engine::new(self.stage.constants, Rc::clone(cache)),
                None => Engine::with_own_cache(self.stage.constants),
            });
            self.events.push(Seconds::INFINITY);
            self.dead.push(false);
        }
        self.policy.pool(&self.members, now);
    }

    /// Does the next change.
    fn change(&mut self) {
        let Some(Change { at: now, what }) = self.changes.pop() else { return };
        match what {
            What::Add(count) => self.add(count, now),
            What::Remove(number) => {
                self.members.retain(|member| *member != number);
                self.policy.pool(&self.members, now);
            }
            What::Fail(number) => {
                self.dead[number] = true;
                for (request, saw_first_token) in self.engines[number].fail() {
                    self.policy.failed(&request, number, false, now);
                    if self.stage.counts(request.number) {
                        self.outcome.failed(saw_first_token);
                    }
                }
                self.look_at(number, now);
                self.share_room(now);
                let gone = Change { at: now + NOTICED, what: What::Remove(number) };
                let place = self.changes.partition_point(|change| change.at > gone.at);
                self.changes.insert(place, gone);
            }
        }
    }

    /// Room was made in a cache, which is that of others too where it is shared.
    fn share_room(&mut self, now: Seconds) {
        if self.scope != CacheScope::Own {
            self.engines.iter_mut().filter(|engine| engine.waiting() > 0).for_each(|engine| engine.look_again(now));
            self.events.clear();
            self.events.extend(self.engines.iter().map(next_event));
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
                if stage.counts(request.number) {
                    outcome.first_token(&request, cached_tokens, now, &stage.constants);
                }
            }
            Event::Finished { request } => {
                policy.finished(&request, number, now);
                made_room = true;
            }
        });
        if made_room {
            self.share_room(now);
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
        for number in self.members.iter().copied().filter(|number| !self.dead[*number]) {
            let engine = &self.engines[number];
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
        let counts = self.stage.counts(arrival.number);
        let Some(number) = self.policy.pick(&arrival, &self.engines, now) else {
            if counts {
                self.outcome.refused();
            }
            return;
        };
        let Arrival { input_tokens, output_tokens, .. } = arrival;
        let request = Request { number: arrival.number, arrived: now, input_tokens, output_tokens };
        if self.dead[number] {
            self.policy.failed(&request, number, true, now);
            if counts {
                self.outcome.failed(false);
            }
            return;
        }
        let job = Job { request, chain: std::mem::take(&mut arrival.chain) };
        if self.engines[number].submit(now, job).is_ok() {
            self.policy.accepted(&request, number, now);
        } else {
            self.policy.rejected(&arrival, number, now);
            if counts {
                self.outcome.too_long();
            }
        }
        self.look_at(number, now);
    }
}

fn next_event(engine: &Engine) -> Seconds {
    engine.next_event().unwrap_or(Seconds::INFINITY)
}

#[cfg(test)]
mod tests;
