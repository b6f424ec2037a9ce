//! The other replicas: which are there, what each last said of its load, and what they have in flight together.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::proto::sync::{Load, Update};
use crate::state::others::Sent;

/// A replica that has said nothing for so long is gone: what it had in flight counts no longer.
pub const SILENCE: Duration = Duration::from_millis(1500);
/// Until then its last number is remembered, so that an update which was held up somewhere is seen to be late.
const REMEMBERED: Duration = Duration::from_secs(600);
/// More replicas than any pool has; noise on the channel cannot take more memory.
const MAX_PEERS: usize = 256;
/// A replica is asked no more often to tell all again: it takes a while until all chains were picked once.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// The others.
#[derive(Debug, Default)]
pub struct Peers {
    by_number: HashMap<u64, Peer, ahash::RandomState>,
}

#[derive(Debug)]
struct Peer {
    epoch: u64,
    sequence: u64,
    heard_at: Instant,
    /// By endpoint; empty once it is silent.
    loads: HashMap<u64, Sent, ahash::RandomState>,
    /// Whether something that it said has no place here.
    is_unplaced: bool,
    asked_at: Option<Instant>,
}

/// What an update is, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// New.
    Fresh {
        /// Updates between it and the one before, which never came.
        missed: u64,
    },
    /// Late or repeated.
    Late,
    /// From one replica too many.
    Crowded,
}

impl Peers {
    /// Takes in the number of `update`, and its load if it is new. `touched` gets every endpoint whose sum has changed.
    pub fn admit(&mut self, update: &Update, now: Instant, mut touched: impl FnMut(&Self, u64)) -> Admission {
        let Update { replica, epoch, sequence, .. } = *update;
        if self.by_number.len() >= MAX_PEERS && !self.by_number.contains_key(&replica) {
            return Admission::Crowded;
        }
        let peer = self.by_number.entry(replica).or_insert_with(|| Peer {
            epoch,
            sequence: sequence.saturating_sub(1),
            heard_at: now,
            loads: HashMap::default(),
            // What it told before it was known here.
            is_unplaced: sequence > 1,
            asked_at: None,
        });
        if (epoch, sequence) <= (peer.epoch, peer.sequence) {
            return Admission::Late;
        }
        let before = if epoch == peer.epoch { peer.sequence } else { 0 };
        let missed = sequence.saturating_sub(before + 1);
        (peer.epoch, peer.sequence, peer.heard_at) = (epoch, sequence, now);
        peer.is_unplaced |= missed > 0;
        let loads = update.loads.iter().map(|load| (load.endpoint, sent(load))).collect();
        let old = std::mem::replace(&mut peer.loads, loads);
        for load in &update.loads {
            touched(self, load.endpoint);
        }
        let listed =
            |endpoint: &u64| self.by_number.get(&replica).is_some_and(|peer| peer.loads.contains_key(endpoint));
        old.into_keys().filter(|endpoint| !listed(endpoint)).for_each(|endpoint| touched(self, endpoint));
        Admission::Fresh { missed }
    }

    /// Drops the load of those who are silent.
    pub fn expire(&mut self, now: Instant) {
        let silent = |peer: &Peer| now.saturating_duration_since(peer.heard_at);
        self.by_number.retain(|_, peer| silent(peer) < REMEMBERED);
        self.by_number.values_mut().filter(|peer| silent(peer) >= SILENCE).for_each(|peer| peer.loads.clear());
    }

    /// What all others have in flight at `endpoint`.
    pub fn sum(&self, endpoint: u64) -> Sent {
        let loads = self.by_number.values().filter_map(|peer| peer.loads.get(&endpoint));
        loads.fold(Sent::default(), |sum, load| sum.plus(*load))
    }

    /// Something that `replica` said has no place here.
    pub fn is_unplaced(&mut self, replica: u64) {
        self.by_number.entry(replica).and_modify(|peer| peer.is_unplaced = true);
    }

    /// Who is to be asked now to tell all again.
    pub fn unplaced(&mut self, now: Instant) -> Vec<u64> {
        let is_due = |peer: &Peer| peer.asked_at.is_none_or(|at| now.saturating_duration_since(at) >= ASK_EVERY);
        let due = self.by_number.iter_mut().filter(|(_, peer)| peer.is_unplaced && is_due(peer));
        let mut asked: Vec<_> = due
            .map(|(number, peer)| {
                (peer.is_unplaced, peer.asked_at) = (false, Some(now));
                *number
            })
            .collect();
        asked.sort_unstable();
        asked
    }

    /// Those who are not silent: number, and when they last said something.
    pub fn heard(&self, now: Instant) -> impl Iterator<Item = (u64, Instant)> + '_ {
        let alive = move |peer: &Peer| now.saturating_duration_since(peer.heard_at) < SILENCE;
        self.by_number.iter().filter(move |(_, peer)| alive(peer)).map(|(number, peer)| (*number, peer.heard_at))
    }
}

fn sent(load: &Load) -> Sent {
    Sent { waiting_tokens: load.waiting_tokens, waiting_requests: load.waiting_requests, in_flight: load.in_flight }
}
