//! A replica in this process: it picks by the product's code for made-up conversations, and shares by the product's code.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use homing::config::{ConfigWriter, PickerConfig, live};
use homing::model::{Endpoint, Now, Part, Prompt, Request, SessionHint, SessionSource, Unit};
use homing::pick::{Head, Origin, Picked, Picker, Replica, Told, Usage};
use homing::sources::shared_state::{Exchange, Failure, News, Side};
use homing::state::{Outbox, PoolWriter, PrefixIndex, decode, pool};
use tokio::time::interval;

use crate::requests::prose;

pub const PICKS_PER_SECOND: u32 = 500;
/// Blocks of a prompt of 8,000 tokens, and of its beginning, which its conversation always has: 80 %.
pub const BLOCKS: usize = 64;
pub const KNOWN: usize = 51;
const BLOCK_BYTES: usize = 512;
const CONVERSATIONS: usize = 256;

/// All caches together are filled in some ten seconds. Where that takes a second, replicas differ in what is evicted first, and
/// tell all again.
pub const CACHE_TOKENS: u64 = 5_000_000;

/// Few at once, as they come to a gateway.
const TICK: Duration = Duration::from_millis(10);
const PER_TICK: u32 = PICKS_PER_SECOND / 100;
/// Answers begin after one tick: engines this fast are not what is measured. They end after twenty.
const BEGIN: usize = PER_TICK as usize;
const END: usize = 20 * PER_TICK as usize;

/// The beginnings of all conversations, and what follows them in a prompt.
#[derive(Debug)]
pub struct Conversations {
    beginnings: Vec<String>,
    rest: String,
}

/// What a replica has told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub picks: u64,
    /// Blocks that were spelt out.
    pub blocks: u64,
    pub messages: u64,
    pub bytes: u64,
}

/// The replica.
pub struct Peer {
    picker: Arc<Picker>,
    replica: RefCell<Replica>,
    count: Cell<Count>,
    number: u64,
    /// Kept: without their writers a pool and a configuration are different ones.
    _writers: (PoolWriter, ConfigWriter),
}

// === impl Conversations ===

impl Conversations {
    pub fn new() -> Self {
        let beginnings = (0..CONVERSATIONS).map(|seed| prose(seed, KNOWN * BLOCK_BYTES)).collect();
        Self { beginnings, rest: prose(CONVERSATIONS, (BLOCKS - KNOWN) * BLOCK_BYTES) }
    }
}

// === impl Count ===

impl Count {
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::wrapping_add)
    }

    pub fn minus(self, other: Self) -> Self {
        self.with(other, u64::wrapping_sub)
    }

    fn with(self, other: Self, change: fn(u64, u64) -> u64) -> Self {
        Self {
            picks: change(self.picks, other.picks),
            blocks: change(self.blocks, other.blocks),
            messages: change(self.messages, other.messages),
            bytes: change(self.bytes, other.bytes),
        }
    }
}

// === impl Peer ===

impl Peer {
    /// The replica of this number, with endpoints that are named as the others name them.
    pub fn new(number: u64, endpoints: &[(String, SocketAddr)]) -> Self {
        let index = Arc::<PrefixIndex>::default();
        let (reader, mut writer) = pool(Arc::clone(&index));
        writer.replace(endpoints.iter().map(|(name, address)| Endpoint::new(name, *address)).collect());
        let mut config = PickerConfig::default();
        config.prefix_index.default_cache_tokens = CACHE_TOKENS;
        let (config, config_writer) = live(config);
        let (now, outbox) = (Now::read(), Arc::new(Outbox::new(number)));
        let picker = Picker::new(reader, config, index, Arc::default(), super::GROUP, now.instant);
        Self {
            picker: Arc::new(picker.with_outbox(Arc::clone(&outbox))),
            replica: RefCell::new(Replica::new(outbox, &format!("homing-{number}"), now)),
            count: Cell::default(),
            number,
            _writers: (writer, config_writer),
        }
    }

    /// What it has told so far.
    pub fn count(&self) -> Count {
        self.count.get()
    }

    /// How often it told all again, since another lacked something.
    pub fn told_again(&self) -> u64 {
        self.replica.borrow().told_again()
    }

    /// Picks until it is dropped.
    pub async fn pick(&self, conversations: &Conversations) {
        let (mut ticks, mut asked) = (interval(TICK), 0_u64);
        let (mut waiting, mut answering) = (VecDeque::new(), VecDeque::new());
        let mut random = self.number;
        let mut rest = conversations.rest.clone().into_bytes();
        loop {
            ticks.tick().await;
            for _ in 0..PER_TICK {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                asked += 1;
                // What follows a beginning differs from its first byte on, and so do all blocks of it.
                rest[..16].copy_from_slice(&(u128::from(self.number) << 64 | u128::from(asked)).to_le_bytes());
                waiting.push_back(self.ask(conversations, (random >> 33) as usize % CONVERSATIONS, &rest));
            }
            self.go_on(&mut waiting, &mut answering);
        }
    }

    fn ask(&self, conversations: &Conversations, conversation: usize, rest: &[u8]) -> Picked {
        let parts = [Part::Bytes(conversations.beginnings[conversation].as_bytes()), Part::Bytes(rest)];
        let prompt = Prompt { model: "bench", salt: "", parts: &parts, unit: Unit::Text, streams: true };
        let id = format!("conversation-{conversation}");
        let session = SessionHint { id: Some(&id), source: SessionSource::Header, ..SessionHint::default() };
        let request = Request { id: None, session, subset: None, prompt: Some(prompt), unread_bytes: None };
        let picked = self.picker.pick(&request, Now::read()).expect("every endpoint is eligible");
        self.add(|count| count.picks += 1);
        picked
    }

    fn go_on(&self, waiting: &mut VecDeque<Picked>, answering: &mut VecDeque<Picked>) {
        let now = Now::read();
        while waiting.len() > BEGIN {
            let Some(mut picked) = waiting.pop_front() else { break };
            picked.answered(
                Head { status: 200, served: None, is_event_stream: true, origin: Origin::Endpoint, is_steered: true },
                now,
            );
            picked.first_byte(now);
            answering.push_back(picked);
        }
        while answering.len() > END {
            let Some(picked) = answering.pop_front() else { break };
            picked.completed(Usage { prompt_tokens: None, answer_tokens: 100 }, now);
        }
    }

    fn add(&self, change: impl FnOnce(&mut Count)) {
        let mut count = self.count.get();
        change(&mut count);
        self.count.set(count);
    }
}

impl Exchange for Peer {
    fn tell(&self) -> Option<Vec<u8>> {
        let bytes = self.picker.tell(&mut self.replica.borrow_mut(), Now::read())?;
        let told = decode(&bytes).expect("what a replica tells, another understands");
        self.add(|count| count.blocks += told.blocks.iter().map(|blocks| blocks.hashes.len() as u64).sum::<u64>());
        Some(bytes)
    }

    fn arrived(&self, bytes: usize) {
        self.add(|count| {
            count.messages += 1;
            count.bytes += bytes as u64;
        });
    }

    fn lost(&self) {
        self.replica.borrow_mut().lost();
    }

    fn hear(&self, news: News<'_>) {
        let told = if news.is_history { Told::Before } else { Told::Now };
        let heard = |bytes| self.picker.hear(&mut self.replica.borrow_mut(), bytes, told, Now::read());
        news.bytes.map(heard).transpose().expect("what a replica tells, another understands");
    }

    fn tell_all_again(&self) {
        self.replica.borrow().tell_all_again();
    }

    fn caught_up(&self) {}

    fn forget_silent(&self) {
        self.picker.forget_silent(&mut self.replica.borrow_mut(), Now::read());
    }

    fn is(&self, side: Side, outcome: Result<(), &Failure>) {
        if let Err(failure) = outcome {
            eprintln!("replica {}, {side:?}: {failure}", self.number);
        }
    }
}
