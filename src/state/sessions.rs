//! Where each session lives: a bounded table of digests.
//!
//! A hit takes a shard's read lock and refreshes an atomic; an insert may evict. Eviction follows a queue
//! of keys by last use as it was when they were queued (a second chance for those used since), so an
//! insert does bounded work and the table never grows past its bound.

mod digest;
mod length;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use parking_lot::Mutex;

use crate::model::{EndpointId, SessionKey};

use super::exchange::Stamp;

pub use digest::{SessionClass, SessionDigest};
pub use length::PromptLength;

/// An insert into a full table looks at no more than so many entries.
const INSPECTED_PER_INSERT: usize = 16;
/// ... and takes no more than so many out, however far the bound was lowered.
const EVICTED_PER_INSERT: usize = 1024;
/// Eviction begins when this share of the table is left, so that a long run of sessions that are in use can
/// be passed over before the table is full.
const SLACK: usize = 64;
/// The grain of last uses: 32 bits of it last for 13 years.
const TICK: Duration = Duration::from_millis(100);

/// What is known of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Where it lives.
    pub home: EndpointId,
    /// Of its last prompt.
    pub prompt: PromptLength,
    /// Tokens of its last answer, which the next prompt will contain and the prefix index cannot see.
    pub answer_tokens: u32,
}

/// The table.
#[derive(Debug)]
pub struct Sessions {
    entries: DashMap<SessionKey, Entry, ahash::RandomState>,
    /// Keys in the order of their last use when queued.
    queue: Mutex<VecDeque<(SessionKey, u32)>>,
    /// Last uses are ticks since then.
    epoch: Instant,
}

#[derive(Debug)]
struct Entry {
    session: Session,
    last_use: AtomicU32,
    /// When it was written, among all replicas; all alike where there is only one.
    stamp: Stamp,
}

impl Session {
    /// Tokens of its last prompt.
    pub fn prompt_tokens(&self, bytes_per_token: f64) -> f64 {
        self.prompt.tokens(bytes_per_token)
    }

    /// Tokens of its whole context.
    pub fn context_tokens(&self, bytes_per_token: f64) -> f64 {
        self.prompt_tokens(bytes_per_token) + f64::from(self.answer_tokens)
    }
}

impl Sessions {
    /// An empty table; `epoch` is the earliest moment that it will be told of.
    pub fn new(epoch: Instant) -> Self {
        Self { entries: DashMap::default(), queue: Mutex::default(), epoch }
    }

    /// The session, unless it is unknown or has been idle for `idle_timeout`; a hit refreshes it.
    pub fn get(&self, key: SessionKey, now: Instant, idle_timeout: Duration) -> Option<Session> {
        let ticks = self.ticks(now);
        let entry = self.entries.get(&key)?;
        let last_use = entry.last_use.load(Relaxed);
        if is_idle(last_use, ticks, idle_timeout) {
            return None;
        }
        entry.last_use.fetch_max(ticks, Relaxed);
        Some(entry.session)
    }

    /// Binds the session or renews what is known of it, unless a later stamp has done so; returns whether it did.
    ///
    /// At most `max` sessions are kept.
    pub fn bind(
        &self,
        key: SessionKey,
        session: Session,
        stamp: Stamp,
        now: Instant,
        idle_timeout: Duration,
        max: usize,
    ) -> bool {
        let ticks = self.ticks(now);
        let entry = Entry { session, last_use: AtomicU32::new(ticks), stamp };
        match self.entries.entry(key) {
            dashmap::Entry::Occupied(known) if known.get().stamp > stamp => return false,
            dashmap::Entry::Occupied(mut known) => {
                known.insert(entry);
                return true;
            }
            dashmap::Entry::Vacant(place) => drop(place.insert(entry)),
        }
        let mut queue = self.queue.lock();
        queue.push_back((key, ticks));
        self.evict(&mut queue, ticks, idle_timeout, max.max(1));
        true
    }

    /// Adds the tokens of the answer that the session's home has just generated, unless a later stamp has renewed the
    /// session; returns what is known now, under this stamp.
    ///
    /// `prompt` corrects the length of its prompt, where the engine knows better.
    pub fn answered(
        &self,
        key: SessionKey,
        home: EndpointId,
        answer_tokens: u32,
        prompt: Option<PromptLength>,
        stamp: Stamp,
        now: Instant,
    ) -> Option<Session> {
        let mut entry = self.entries.get_mut(&key)?;
        if entry.session.home != home || entry.stamp > stamp {
            return None;
        }
        entry.session.answer_tokens = answer_tokens;
        entry.session.prompt = prompt.unwrap_or(entry.session.prompt);
        entry.stamp = stamp;
        entry.last_use.fetch_max(self.ticks(now), Relaxed);
        Some(entry.session)
    }

    /// Forgets a session that has ended, unless a later stamp has renewed it; its place in the queue goes when its
    /// turn comes.
    pub fn end(&self, key: SessionKey, stamp: Stamp) {
        self.entries.remove_if(&key, |_, entry| entry.stamp <= stamp);
    }

    /// Sessions kept now.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn evict(&self, queue: &mut VecDeque<(SessionKey, u32)>, ticks: u32, idle_timeout: Duration, max: usize) {
        for _ in 0..INSPECTED_PER_INSERT {
            let Some(&(key, queued)) = queue.front() else { return };
            let over = queue.len() > max - max / SLACK;
            let last_use = self.entries.get(&key).map_or(queued, |entry| entry.last_use.load(Relaxed));
            if !over && !is_idle(queued, ticks, idle_timeout) {
                return;
            }
            queue.pop_front();
            if last_use > queued && !is_idle(last_use, ticks, idle_timeout) {
                queue.push_back((key, last_use));
            } else {
                self.entries.remove(&key);
            }
        }
        // All that were looked at had been used since: the bound holds all the same. A bound that was lowered
        // is reached over the next inserts.
        for _ in 0..queue.len().saturating_sub(max).min(EVICTED_PER_INSERT) {
            if let Some((key, _)) = queue.pop_front() {
                self.entries.remove(&key);
            }
        }
    }

    fn ticks(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.epoch).as_millis() / TICK.as_millis()).unwrap_or(u32::MAX)
    }
}

fn is_idle(last_use: u32, ticks: u32, idle_timeout: Duration) -> bool {
    u128::from(ticks.saturating_sub(last_use)) >= (idle_timeout.as_millis() / TICK.as_millis()).max(1)
}

#[cfg(test)]
mod tests;
