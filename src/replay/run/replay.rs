//! One replay under way: the engines, who picks, and what each event does to them.

use std::cell::RefCell;
use std::rc::Rc;

use xxhash_rust::xxh3::xxh3_64;

use crate::replay::Seconds;
use crate::replay::change::Change;
use crate::replay::engine::{Engine, Event, Job, Request, SharedCache};
use crate::replay::policy::{CacheScope, Kind, Policy, Said, Setting, Several, View};
use crate::replay::trace::Arrival;
use crate::simulation::PrefixCache;

use super::conversations::Conversations;
use super::{Outcome, Stage};

/// One replay under way.
pub struct Replay<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) policy: Box<dyn Policy>,
    pub(super) engines: Vec<Engine>,
    /// When each engine has something to tell; infinity while it is idle.
    pub(super) events: Vec<Seconds>,
    pub(super) scope: CacheScope,
    /// The cache that all share, if they do. It does not grow with the pool.
    pub(super) shared: Option<SharedCache>,
    /// The numbers of those to whom requests are sent, in order.
    pub(super) members: Vec<usize>,
    pub(super) dead: Vec<bool>,
    /// What is still to happen, the next last.
    pub(super) changes: Vec<Change>,
    conversations: Conversations,
    pub(super) outcome: Outcome,
}

impl<'a> Replay<'a> {
    /// Before the first event.
    pub fn new(stage: &'a Stage<'a>, kind: &Kind) -> Self {
        let Stage { constants, replicas, seed, base, .. } = *stage;
        let (block_tokens, blocks) = (constants.block_tokens, constants.blocks());
        let setting = Setting { replicas, block_tokens, blocks, seed, base };
        let scope = kind.cache_scope();
        let shared = match scope {
            CacheScope::Own => None,
            CacheScope::Pooled => Some(blocks.saturating_mul(replicas)),
            // Far beyond any trace, and far from overflow.
            CacheScope::Infinite => Some(usize::MAX / 4),
        };
        let shared = shared.map(|blocks| Rc::new(RefCell::new(PrefixCache::new(blocks))));
        let mut replay = Self {
            stage,
            policy: if stage.pickers == 1 {
                kind.build(&setting)
            } else {
                Box::new(Several::new(kind, stage.pickers, &setting))
            },
            engines: Vec::new(),
            events: Vec::new(),
            scope,
            shared,
            members: Vec::new(),
            dead: Vec::new(),
            changes: stage.changes.iter().rev().copied().collect(),
            conversations: Conversations::new(stage.survey.shared.len()),
            outcome: Outcome::new(stage.warm_up),
        };
        replay.add(replicas, 0.0);
        replay
    }

    /// The engine whose step ends next, and when; infinity where none has anything to do.
    pub fn next_event(&self) -> (usize, Seconds) {
        let mut next = (0, Seconds::INFINITY);
        for (engine, at) in self.events.iter().enumerate() {
            if *at < next.1 {
                next = (engine, *at);
            }
        }
        next
    }

    /// The step of this engine ends.
    pub fn advance(&mut self, number: usize, now: Seconds) {
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
        if made_room {
            self.share_room(now);
        }
        self.look_at(number, now);
    }

    /// Takes down when an engine has something to tell next, and what it has to do.
    pub(super) fn look_at(&mut self, number: usize, now: Seconds) {
        let engine = &self.engines[number];
        self.events[number] = next_event(engine);
        self.outcome.load_of(number, engine.running() + engine.waiting(), now);
    }

    /// Room was made in a cache, which is that of others too where it is shared.
    pub(super) fn share_room(&mut self, now: Seconds) {
        if self.scope != CacheScope::Own {
            self.engines.iter_mut().filter(|engine| engine.waiting() > 0).for_each(|engine| engine.look_again(now));
            self.events.clear();
            self.events.extend(self.engines.iter().map(next_event));
        }
    }

    /// All engines that can be asked are.
    pub fn scrape(&mut self, now: Seconds) {
        for number in self.members.iter().copied().filter(|number| !self.dead[*number]) {
            let engine = &self.engines[number];
            let constants = engine.constants();
            let gauges = engine.gauges(now);
            let said = Said { gauges, block_tokens: constants.block_tokens, blocks: constants.blocks() };
            self.policy.scraped(number, &said, now);
        }
    }

    /// A request comes.
    pub fn arrive(&mut self, mut arrival: Arrival, now: Seconds) {
        let Arrival { number, input_tokens, output_tokens, .. } = arrival;
        if !self.stage.constants.can_hold(input_tokens, output_tokens) {
            // No engine takes it, whoever picks.
            self.outcome.too_long(number);
            return;
        }
        let conversation = self.name(&mut arrival);
        let view = View { members: &self.members, engines: &self.engines, dead: &self.dead, conversation };
        let Some(engine) = self.policy.pick(&arrival, &view, now) else {
            self.outcome.refused(number);
            return;
        };
        let request = Request { number, arrived: now, input_tokens, output_tokens };
        if self.dead[engine] {
            self.policy.failed(&request, engine, true, now);
            self.outcome.failed(number, false);
            return;
        }
        let job = Job { request, chain: std::mem::take(&mut arrival.chain) };
        self.engines[engine].submit(now, job).expect("what it can hold was asked before");
        self.policy.accepted(&request, engine, now);
        self.look_at(engine, now);
    }

    /// What tells the conversation of a request from others; names its session by it, if that is asked for.
    fn name(&mut self, arrival: &mut Arrival) -> u64 {
        if let Some(session) = arrival.session.as_ref().filter(|session| !session.is_empty()) {
            return xxh3_64(session.as_bytes());
        }
        let conversation = self.conversations.of(&arrival.chain);
        if self.stage.sessions_by_prefix {
            arrival.session = Some(conversation.to_string());
        }
        conversation
    }
}

pub(super) fn next_event(engine: &Engine) -> Seconds {
    engine.next_event().unwrap_or(Seconds::INFINITY)
}
