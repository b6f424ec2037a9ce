//! Takes in what other replicas tell.

use std::time::{Duration, Instant};

use crate::model::{Now, SessionKey};
use crate::proto::sync::{Binding, Blocks, Update};
use crate::state::prefix::Tail;
use crate::state::{Member, MergeBudget, PoolSnapshot, PrefixIndex, PromptLength, Session, Sessions};

use super::clock::{Stamp, is_believed, wall_millis};
use super::outbox::Outbox;
use super::peers::{Admission, Peer, Peers};
use super::teller::Keys;

/// What one update may do beside what it spells out, some ten milliseconds of work each: make blocks young again, for half
/// a second of 4,000 picks/s with 60 KB of known prompt each; and look at blocks, for some 30 tails that branch off from
/// within chains that were last touched 60,000 blocks ago.
const BUDGET: MergeBudget = MergeBudget { renewals: 1 << 18, steps: 1 << 21 };

/// What one replica knows of the others; there is one, and one task has it.
#[derive(Debug)]
pub struct Inbox {
    peers: Peers,
    /// Of this replica's own life.
    epoch: u64,
}

/// Where things go.
pub struct Tables<'a> {
    /// The pool as it is now.
    pub pool: &'a PoolSnapshot,
    /// For blocks.
    pub index: &'a PrefixIndex,
    /// Blocks that an endpoint's cache can hold.
    pub capacity: &'a dyn Fn(&Member) -> usize,
    /// For bindings; `None` where sessions bind nothing.
    pub sessions: Option<&'a Sessions>,
    /// How long a session may be idle.
    pub idle_timeout: Duration,
    /// How many sessions are kept at most.
    pub max_sessions: usize,
    /// This replica's own news: its number and its clock.
    pub outbox: &'a Outbox,
    /// What this replica understands.
    pub keys: Keys,
}

/// What came of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was new.
    Fresh {
        /// Updates before it that never came.
        missed: u64,
        /// Chains that had no place, because what they follow is not known here, or was too dear to find.
        unplaced: usize,
        /// Whether its sessions are under another key than ours, so that none is shared.
        is_other_key: bool,
        /// Whether it cuts prompts into blocks otherwise than we do, so that no block is shared.
        is_other_cut: bool,
        /// How long the oldest of its news had waited when it was sent.
        waited: Duration,
    },
    /// It came late or twice, and changes nothing.
    Late,
    /// It is our own.
    Own,
    /// It has our number and is not of this life: late, or of another replica that drew the same number.
    Twin,
    /// Its life begins in the future, by more than clocks differ: nothing that it says is taken in.
    Ahead,
    /// There are too many replicas to listen to.
    Crowded,
}

impl Inbox {
    /// Nothing is known yet, and this replica's own life began at `epoch`, as its [`Teller`](super::Teller) tells.
    pub fn new(epoch: u64) -> Self {
        Self { peers: Peers::default(), epoch }
    }

    /// Takes in one update; history is what was told before this replica listened, and says nothing of load.
    pub fn merge(&mut self, update: &Update, is_history: bool, tables: &Tables<'_>, now: Now) -> Heard {
        if update.replica == tables.outbox.replica() {
            return if update.epoch == self.epoch { Heard::Own } else { Heard::Twin };
        }
        if !is_believed(update.epoch, now.wall) {
            return Heard::Ahead;
        }
        let settle = |peers: &Peers, endpoint| {
            if let Some(member) = tables.pool.placed(endpoint) {
                member.load.others_sent(peers.sum(endpoint));
            }
        };
        let missed = match self.peers.admit(update, is_history, now.instant, settle) {
            Admission::Fresh { missed } => missed,
            Admission::Late => return Heard::Late,
            Admission::Crowded => return Heard::Crowded,
        };
        // However late it is read: nobody else has this number, and no earlier life had it.
        if update.unplaced.contains(&tables.outbox.replica()) {
            tables.outbox.lacks();
        }
        // A release that does not say cuts as the first did.
        let is_other_cut = update.cut != 0 && update.cut != tables.keys.cut;
        let blocks = if is_other_cut { &[] } else { &*update.blocks };
        let mut budget = BUDGET;
        let unplaced = blocks.iter().filter(|blocks| !tables.take_blocks(blocks, &mut budget)).count();
        // What a log lacks at its beginning shows when it is missed.
        if unplaced > 0 && !is_history {
            self.peers.note_unplaced(update.replica);
        }
        let is_other_key = update.digest_key != tables.keys.digest;
        if !is_other_key {
            update.bindings.iter().for_each(|binding| tables.take_binding(binding, now));
        }
        let waited = Duration::from_micros(update.waited_micros.into());
        Heard::Fresh { missed, unplaced, is_other_key, is_other_cut, waited }
    }

    /// Drops the load of replicas that are silent, and gives endpoints that are new in the pool theirs. To be called
    /// at least every 100 ms.
    pub fn expire(&mut self, pool: &PoolSnapshot, now: Instant) {
        self.peers.expire(now);
        for member in pool.members() {
            member.load.others_sent(self.peers.sum(member.placement));
        }
    }

    /// Replicas that are to be asked now to tell all again.
    pub fn unplaced(&mut self, now: Instant) -> Vec<u64> {
        self.peers.unplaced(now)
    }

    /// Asks these again: the update that did so is lost.
    pub fn ask_again(&mut self, replicas: &[u64]) {
        replicas.iter().for_each(|replica| self.peers.ask_again(*replica));
    }

    /// The replicas that are not silent.
    pub fn heard(&self, now: Instant) -> impl Iterator<Item = Peer> + '_ {
        self.peers.heard(now)
    }
}

impl Tables<'_> {
    /// Returns whether it had a place. An endpoint that is gone or has restarted has another name now: nobody asks.
    fn take_blocks(&self, blocks: &Blocks, budget: &mut MergeBudget) -> bool {
        let Some(member) = self.pool.placed(blocks.endpoint) else { return true };
        if blocks.retracted {
            self.index.retract(&member.lane, &blocks.hashes, 0, blocks.credit, |_| ());
            return true;
        }
        let Blocks { depth, parent, ref hashes, credit, .. } = *blocks;
        let tail = Tail { depth: depth as usize, parent, hashes, credit };
        self.index.merge(&member.lane, tail, (self.capacity)(member), self.outbox.generation(), budget)
    }

    fn take_binding(&self, binding: &Binding, now: Now) {
        let Binding { key_high, key_low, endpoint, prompt_length, answer_tokens, clock, writer, ended } = *binding;
        let Some(sessions) = self.sessions else { return };
        let stamp = Stamp { clock, writer };
        // History may be of sessions that have been idle for long.
        if clock.saturating_add(u64::try_from(self.idle_timeout.as_millis()).unwrap_or(u64::MAX))
            < wall_millis(now.wall)
        {
            return;
        }
        if !self.outbox.sees(stamp, now.wall) {
            return;
        }
        let key = SessionKey(u128::from(key_high) << 64 | u128::from(key_low));
        if ended {
            sessions.end(key, stamp);
        } else if let Some(member) = self.pool.placed(endpoint) {
            let prompt = PromptLength::from_wire(prompt_length);
            let session = Session { home: member.id, prompt, answer_tokens };
            sessions.bind(key, session, stamp, now.instant, self.idle_timeout, self.max_sessions);
        }
    }
}
