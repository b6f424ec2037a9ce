//! What picks have to tell: a bounded queue that drops the oldest.
//!
//! A pick pays for one short lock and a copy of the hashes that are new. Load is not in it: whoever tells reads that
//! from the ledger.

use std::collections::VecDeque;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::model::SessionKey;
use crate::proto::sync::{Binding, Blocks};
use crate::state::Session;

use super::clock::{HybridClock, Stamp};

/// Half a megabyte of hashes; at 500 picks/s of 8,000 tokens each, all of them new, that is told within two seconds.
const MAX_HASHES: usize = 1 << 16;
/// A second of bindings and of chains at 4,000 picks/s.
pub(super) const MAX_NEWS: usize = 1 << 13;
/// All is told again no more often, however many ask: whole chains are many times the bytes of their ends.
const AGAIN_EVERY: Duration = Duration::from_secs(5);

/// The queue, and the clock of what is written here.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// What was told in an earlier one is told again.
    generation: AtomicU32,
    /// Whether others lack something that was told in this generation.
    is_lacking: AtomicBool,
    /// When the generation changed last.
    again_at: Mutex<Option<Instant>>,
    told_again: AtomicU64,
    dropped: AtomicU64,
    clock: HybridClock,
    replica: u64,
}

/// What is to be told, in the order in which it happened.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub blocks: VecDeque<Blocks>,
    pub bindings: VecDeque<Binding>,
    /// When the oldest of the blocks was credited.
    pub since: Option<Instant>,
    hashes: usize,
}

impl Outbox {
    /// An empty one, of the replica of this number, which must not be 0.
    pub fn new(replica: u64) -> Self {
        Self {
            queue: Mutex::default(),
            generation: AtomicU32::new(1),
            is_lacking: AtomicBool::new(false),
            again_at: Mutex::default(),
            told_again: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            clock: HybridClock::default(),
            replica,
        }
    }

    /// Who tells.
    pub fn replica(&self) -> u64 {
        self.replica
    }

    /// Changes when others have to be told all again: blocks that were told in another one are not known to them.
    pub fn generation(&self) -> u32 {
        self.generation.load(Relaxed)
    }

    /// Something was lost on its way: whole chains are to be told again, each when it is next picked.
    pub fn lacks(&self) {
        self.is_lacking.store(true, Relaxed);
    }

    /// Begins to tell all again where others lack something, unless that was done a moment ago: then it waits. To be
    /// called before each update.
    pub fn tell_again_if_lacking(&self, now: Instant) {
        let mut last = self.again_at.lock();
        let is_due = last.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN_EVERY);
        if is_due && self.is_lacking.swap(false, Relaxed) {
            *last = Some(now);
            self.generation.fetch_add(1, Relaxed);
            self.told_again.fetch_add(1, Relaxed);
        }
    }

    /// How often all was told again.
    pub fn told_again(&self) -> u64 {
        self.told_again.load(Relaxed)
    }

    /// News that were dropped because nobody took them in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// `chain` was credited to the endpoint of this placement at `now`, by the credit of this number; others were told of
    /// its first `known` blocks before.
    pub fn credited(&self, endpoint: u64, chain: &[u64], known: usize, credit: u32, now: Instant) {
        if chain.is_empty() {
            return;
        }
        let parent = if known > 0 { chain[known - 1] } else { 0 };
        let depth = u32::try_from(chain.len()).unwrap_or(u32::MAX);
        let blocks = Blocks { endpoint, depth, parent, hashes: chain[known..].to_vec(), retracted: false, credit };
        self.push_blocks(blocks, Some(now));
    }

    /// `blocks` of this credit were taken back from the endpoint of this placement.
    pub fn retracted(&self, endpoint: u64, blocks: &[u64], credit: u32) {
        if !blocks.is_empty() {
            let hashes = blocks.to_vec();
            self.push_blocks(Blocks { endpoint, hashes, retracted: true, credit, ..Blocks::default() }, None);
        }
    }

    /// A stamp for something that is written here now.
    pub fn stamp(&self, wall: SystemTime) -> Stamp {
        Stamp { clock: self.clock.tick(wall), writer: self.replica as u32 }
    }

    /// Takes in another's stamp; returns whether its clock can be believed.
    pub fn sees(&self, stamp: Stamp, wall: SystemTime) -> bool {
        self.clock.sees(stamp.clock, wall)
    }

    /// The session lives at the endpoint of this placement.
    pub fn bound(&self, key: SessionKey, endpoint: u64, session: Session, stamp: Stamp) {
        let Session { home: _, prompt, answer_tokens } = session;
        self.push_binding(Binding { endpoint, prompt_length: prompt.to_wire(), answer_tokens, ..binding(key, stamp) });
    }

    /// The session has ended.
    pub fn ended(&self, key: SessionKey, stamp: Stamp) {
        self.push_binding(Binding { ended: true, ..binding(key, stamp) });
    }

    /// Takes all that is to be told.
    pub(super) fn take(&self) -> Queue {
        std::mem::take(&mut self.queue.lock())
    }

    /// Puts what was taken and did not arrive in front of what has come since.
    pub(super) fn put_back(&self, blocks: Vec<Blocks>, bindings: Vec<Binding>) {
        let hashes = blocks.iter().map(|blocks| blocks.hashes.len()).sum();
        let mut all = Queue { blocks: blocks.into(), bindings: bindings.into(), since: None, hashes };
        // Picks wait for this lock, so it is held for no more than what has come in between.
        all.append(self.take());
        let mut dropped = all.trim();
        let mut queue = self.queue.lock();
        all.append(std::mem::take(&mut queue));
        dropped += all.trim();
        *queue = all;
        drop(queue);
        self.count(dropped);
    }

    fn push_blocks(&self, blocks: Blocks, since: Option<Instant>) {
        let mut queue = self.queue.lock();
        queue.hashes += blocks.hashes.len();
        queue.blocks.push_back(blocks);
        queue.since = queue.since.or(since);
        let dropped = queue.trim();
        drop(queue);
        self.count(dropped);
    }

    fn push_binding(&self, binding: Binding) {
        let mut queue = self.queue.lock();
        queue.bindings.push_back(binding);
        let dropped = queue.trim();
        drop(queue);
        self.count(dropped);
    }

    /// A binding that is dropped heals with the session's next request.
    fn count(&self, dropped: Dropped) {
        let Dropped { blocks, bindings } = dropped;
        if blocks > 0 {
            self.lacks();
        }
        if blocks + bindings > 0 {
            self.dropped.fetch_add(blocks + bindings, Relaxed);
        }
    }
}

/// How many news there was no room for.
#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    blocks: u64,
    bindings: u64,
}

impl AddAssign for Dropped {
    fn add_assign(&mut self, more: Self) {
        self.blocks += more.blocks;
        self.bindings += more.bindings;
    }
}

impl Queue {
    fn append(&mut self, mut later: Self) {
        self.blocks.append(&mut later.blocks);
        self.bindings.append(&mut later.bindings);
        self.since = self.since.or(later.since);
        self.hashes += later.hashes;
    }

    /// Drops the oldest where there are too many.
    fn trim(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        while self.hashes > MAX_HASHES || self.blocks.len() > MAX_NEWS {
            let Some(oldest) = self.blocks.pop_front() else { break };
            self.hashes -= oldest.hashes.len();
            dropped.blocks += 1;
        }
        while self.bindings.len() > MAX_NEWS {
            self.bindings.pop_front();
            dropped.bindings += 1;
        }
        dropped
    }
}

fn binding(key: SessionKey, stamp: Stamp) -> Binding {
    let SessionKey(digest) = key;
    Binding {
        key_high: (digest >> 64) as u64,
        key_low: digest as u64,
        clock: stamp.clock,
        writer: stamp.writer,
        ..Binding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Lane, MergeBudget, PrefixIndex, Tail};

    #[test]
    fn only_the_end_that_nobody_was_told_of_is_spelt_out() {
        let outbox = Outbox::new(1);
        for known in [0, 2, 3] {
            outbox.credited(9, &[1, 2, 3], known, 7, Instant::now());
        }
        outbox.credited(9, &[], 0, 7, Instant::now());
        let said: Vec<_> = outbox.take().blocks.into_iter().map(|it| (it.depth, it.parent, it.hashes)).collect();
        assert_eq!(said, [(3, 0, vec![1, 2, 3]), (3, 2, vec![3]), (3, 3, vec![])]);
        assert!(outbox.take().blocks.is_empty(), "told once");
    }

    #[test]
    fn news_of_one_endpoint_leave_in_their_order_whichever_thread_they_come_from() {
        let outbox = Outbox::new(1);
        let chain: Vec<u64> = (1..=300).collect();
        let [(here, mine), (there, theirs)] = [(); 2].map(|()| (PrefixIndex::default(), Lane::new(0)));
        let grow = || {
            for len in 1..=chain.len() {
                let tell = |chain: &[u64], known, credit| outbox.credited(9, chain, known, credit, Instant::now());
                here.record_and_tell(&mine, &chain[..len], 250, outbox.generation(), tell);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(grow);
            }
        });
        let mut budget = MergeBudget { renewals: usize::MAX, steps: usize::MAX };
        for Blocks { depth, parent, hashes, credit, .. } in outbox.take().blocks {
            let tail = Tail { depth: depth as usize, parent, hashes: &hashes, credit };
            assert!(there.merge(&theirs, tail, 250, 1, &mut budget));
        }
        assert_eq!(mine.by_age(), theirs.by_age());
    }

    #[test]
    fn all_is_told_again_no_more_than_once_in_a_while_and_no_ask_is_forgotten() {
        let (outbox, now) = (Outbox::new(1), Instant::now());
        let told_again = [0, 100, 200, 4_999, 5_000, 9_999, 10_000, 15_000].map(|millis| {
            if millis < 5_000 {
                outbox.lacks();
            }
            outbox.tell_again_if_lacking(now + Duration::from_millis(millis));
            outbox.told_again()
        });
        assert_eq!((told_again, outbox.generation()), ([1, 1, 1, 1, 2, 2, 2, 2], 3));
    }

    #[test]
    fn what_did_not_arrive_leaves_again_before_what_came_since_and_is_bounded_as_all_is() {
        let (outbox, now) = (Outbox::new(1), Instant::now());
        let keys = |outbox: &Outbox| -> Vec<_> {
            let Queue { blocks, bindings, .. } = outbox.take();
            blocks.iter().map(|it| it.endpoint).chain(bindings.iter().map(|it| it.key_low)).collect()
        };
        let end = |key| outbox.ended(SessionKey(key), Stamp::default());
        outbox.credited(1, &[1], 0, 7, now);
        outbox.retracted(2, &[1], 7);
        end(11);
        let Queue { blocks, bindings, .. } = outbox.take();
        outbox.credited(3, &[1], 0, 7, now);
        end(12);
        outbox.put_back(blocks.into(), bindings.into());
        assert_eq!(keys(&outbox), [1, 2, 3, 11, 12]);
        outbox.credited(3, &vec![7; MAX_HASHES], 0, 7, now);
        outbox.put_back(vec![Blocks { endpoint: 4, hashes: vec![1], ..Blocks::default() }], vec![]);
        assert_eq!((keys(&outbox), outbox.dropped()), (vec![3], 1), "the oldest");
    }

    #[test]
    fn it_is_bounded_drops_the_oldest_counts_it_and_tells_all_again() {
        let outbox = Outbox::new(1);
        let (chain, now) = (vec![7; MAX_HASHES / 4], Instant::now());
        for endpoint in 1..=4 {
            outbox.credited(endpoint, &chain, 0, 7, now);
        }
        outbox.tell_again_if_lacking(now);
        assert_eq!((outbox.dropped(), outbox.generation()), (0, 1));
        outbox.retracted(5, &[1], 7);
        outbox.tell_again_if_lacking(now);
        assert_eq!((outbox.dropped(), outbox.generation()), (1, 2));
        let left: Vec<_> = outbox.take().blocks.into_iter().map(|it| it.endpoint).collect();
        assert_eq!(left, [2, 3, 4, 5]);

        for _ in 0..=MAX_NEWS {
            outbox.credited(6, &[1], 1, 7, now);
            outbox.ended(SessionKey(1), Stamp::default());
        }
        let queue = outbox.take();
        assert_eq!((queue.blocks.len(), queue.bindings.len(), outbox.dropped()), (MAX_NEWS, MAX_NEWS, 3));
    }
}
