//! Where each session lives: a bounded table of digests.
//!
//! A hit takes a shard's read lock and refreshes an atomic; an insert may evict. Eviction follows a queue
//! of keys by last use as it was when they were queued (a second chance for those used since), so an
//! insert does bounded work and the table never grows past its bound. Each entry is in the queue once: a session that has
//! ended stays as a mark until its turn comes, and nothing older than its end can bring it back.

mod digest;
mod length;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
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
    entries: DashMap<Key, Entry, ahash::RandomState>,
    /// Entries of sessions that have ended.
    ended: AtomicUsize,
    /// Every entry's key, in the order of their last use when queued.
    queue: Mutex<VecDeque<(Key, u32)>>,
    /// Last uses are ticks since then.
    epoch: Instant,
}

/// A session's key; as a number it would have to lie at a multiple of 16 bytes, and with it the whole entry.
type Key = [u8; 16];

/// With its key 48 bytes, of which a million fit where they should.
#[derive(Debug)]
struct Entry {
    session: Session,
    last_use: AtomicU32,
    /// When it was written, among all replicas; all alike where there is only one.
    stamp: Packed,
}

/// A stamp in words of 32 bits, the highest first, so that it compares alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packed([u32; 3]);

/// The home of a session that has ended.
const ENDED: EndpointId = EndpointId { slot: u32::MAX, generation: u32::MAX };

impl From<Stamp> for Packed {
    fn from(Stamp { clock, writer }: Stamp) -> Self {
        Self([(clock >> 32) as u32, clock as u32, writer])
    }
}

impl Entry {
    fn has_ended(&self) -> bool {
        self.session.home == ENDED
    }
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
        Self { entries: DashMap::default(), ended: AtomicUsize::new(0), queue: Mutex::default(), epoch }
    }

    /// The session, unless it is unknown or has been idle for `idle_timeout`; a hit refreshes it.
    pub fn get(&self, key: SessionKey, now: Instant, idle_timeout: Duration) -> Option<Session> {
        let ticks = self.ticks(now);
        let entry = self.entries.get(&key.0.to_le_bytes())?;
        let last_use = entry.last_use.load(Relaxed);
        if entry.has_ended() || is_idle(last_use, ticks, idle_timeout) {
            return None;
        }
        if last_use < ticks {
            entry.last_use.fetch_max(ticks, Relaxed);
        }
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
        let (key, stamp) = (key.0.to_le_bytes(), stamp.into());
        let entry = Entry { session, last_use: AtomicU32::new(ticks), stamp };
        match self.entries.entry(key) {
            dashmap::Entry::Occupied(known) if known.get().stamp > stamp => return false,
            dashmap::Entry::Occupied(mut known) => {
                if known.insert(entry).has_ended() {
                    self.ended.fetch_sub(1, Relaxed);
                }
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
        let (key, stamp) = (key.0.to_le_bytes(), stamp.into());
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

    /// Forgets a session that has ended, unless a later stamp has renewed it; its mark goes when its turn comes.
    pub fn end(&self, key: SessionKey, stamp: Stamp) {
        let Some(mut entry) = self.entries.get_mut(&key.0.to_le_bytes()) else { return };
        if entry.stamp > stamp.into() {
            return;
        }
        entry.stamp = stamp.into();
        if !entry.has_ended() {
            entry.session.home = ENDED;
            self.ended.fetch_add(1, Relaxed);
        }
    }

    /// Sessions kept now.
    pub fn len(&self) -> usize {
        self.entries.len().saturating_sub(self.ended.load(Relaxed))
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room; returns how many entries it looked at.
    fn evict(&self, queue: &mut VecDeque<(Key, u32)>, ticks: u32, idle_timeout: Duration, max: usize) -> usize {
        let mut seen = 0;
        while seen < INSPECTED_PER_INSERT {
            let over = queue.len() > max - max / SLACK;
            let Some(&(key, queued)) = queue.front() else { return seen };
            if !over && !is_idle(queued, ticks, idle_timeout) {
                return seen;
            }
            seen += 1;
            queue.pop_front();
            if let Some(last_use) = self.remove_unused(key, queued, ticks, idle_timeout) {
                queue.push_back((key, last_use));
            }
        }
        // All that were looked at had been used since: the bound holds all the same. A bound that was lowered
        // is reached over the next inserts.
        for _ in 0..queue.len().saturating_sub(max).min(EVICTED_PER_INSERT) {
            if let Some((key, _)) = queue.pop_front() {
                seen += 1;
                self.forget(self.entries.remove(&key));
            }
        }
        seen
    }

    /// Takes an entry out, unless it was used since it was queued; then it says when.
    fn remove_unused(&self, key: Key, queued: u32, ticks: u32, idle_timeout: Duration) -> Option<u32> {
        let used = |entry: &Entry| {
            let last_use = entry.last_use.load(Relaxed);
            (last_use > queued && !entry.has_ended() && !is_idle(last_use, ticks, idle_timeout)).then_some(last_use)
        };
        let last_use = self.entries.get(&key).and_then(|entry| used(&entry));
        if last_use.is_some() {
            return last_use;
        }
        // It may be used at this moment.
        let removed = self.entries.remove_if(&key, |_, entry| used(entry).is_none());
        let is_gone = removed.is_some();
        self.forget(removed);
        (!is_gone).then_some(ticks)
    }

    fn forget(&self, removed: Option<(Key, Entry)>) {
        if removed.is_some_and(|(_, entry)| entry.has_ended()) {
            self.ended.fetch_sub(1, Relaxed);
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
