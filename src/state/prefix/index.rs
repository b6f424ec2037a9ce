//! The index that picks read.

mod merge;

use parking_lot::MutexGuard;

pub use merge::Tail;

use super::lane::{Blocks, Lane, NO_PARENT};
use super::table::Table;
use super::table::slots::{slots, words_for};

/// Bytes of one (block, endpoint) pair: an entry of the index and a node and an entry of the lane, with
/// the slack of their tables. An estimate for the gauge, not an accounting.
const BYTES_PER_BLOCK: usize = 72;

/// Blocks that are forgotten in one go, some ten microseconds.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Which endpoints hold which blocks.
#[derive(Debug, Default)]
pub struct PrefixIndex {
    table: Table,
}

/// Room for lookups, kept between them.
#[derive(Debug, Default)]
pub struct Scratch {
    holding: Vec<u64>,
    probed: Vec<u64>,
}

impl PrefixIndex {
    /// How many blocks of `chain` each endpoint holds from its head on: `depths[slot]`.
    ///
    /// Looks up few blocks: those who hold a block hold all before it, so a probe that finds the same
    /// holders as before settles everything between, and a binary search finds where one drops out.
    pub fn depths(&self, chain: &[u64], depths: &mut [u32], scratch: &mut Scratch) {
        depths.fill(0);
        let words = words_for(depths.len());
        let Scratch { holding, probed } = scratch;
        holding.clear();
        holding.resize(words, u64::MAX);
        probed.resize(words, 0);
        // `holding` hold all of chain[..held]; at least one of them lacks chain[..missing].
        let mut held = 0;
        let mut stride = 1;
        while held < chain.len() && holding.iter().any(|word| *word != 0) {
            let mut missing = (held + stride).min(chain.len());
            if self.still_hold(chain[missing - 1], holding, probed) {
                held = missing;
                stride *= 2;
                continue;
            }
            while missing - held > 1 {
                let middle = held + (missing - held) / 2;
                if self.still_hold(chain[middle - 1], holding, probed) { held = middle } else { missing = middle }
            }
            // Everybody holds `held` blocks; `probed` becomes those who hold one more.
            if stride > 1 {
                self.still_hold(chain[missing - 1], holding, probed);
            }
            for (holding, kept) in holding.iter_mut().zip(&*probed) {
                *holding &= !kept;
            }
            settle(holding, held, depths);
            holding.copy_from_slice(probed);
            held = missing;
            stride = 1;
        }
        settle(holding, held, depths);
    }

    /// Credits `chain` to `lane`, the newest of up to `capacity` blocks.
    ///
    /// Touches from tail to head, so that a tail is always older than its head.
    pub fn record(&self, lane: &Lane, chain: &[u64], capacity: usize) {
        self.record_and_tell(lane, chain, capacity, 0, |_, _| ());
    }

    /// Credits `chain` as [`record`](Self::record) does, where others are told of it.
    ///
    /// `tell` gets what was credited, and how many of its blocks others were told of before in this `generation`. It
    /// runs while the lane is locked, so that the news of one lane leave in their order.
    pub fn record_and_tell(
        &self,
        lane: &Lane,
        chain: &[u64],
        capacity: usize,
        generation: u32,
        tell: impl FnOnce(&[u64], usize),
    ) {
        let chain = &chain[..chain.len().min(capacity)];
        let mut blocks = lane.blocks.lock();
        if blocks.is_closed() {
            return;
        }
        let known = self.touch(lane, &mut blocks, NO_PARENT, chain, generation);
        self.trim(lane, &mut blocks, capacity);
        tell(chain, known);
    }

    /// Takes `chain` back from `lane`: the request failed there, or went elsewhere.
    ///
    /// A few blocks at a time, the head first, so that nobody waits for all of them. `tell` gets those few, and runs as
    /// in [`record_and_tell`](Self::record_and_tell).
    pub fn retract(&self, lane: &Lane, chain: &[u64], mut tell: impl FnMut(&[u64])) {
        for few in chain.chunks(FORGOTTEN_AT_ONCE) {
            let mut blocks = lane.blocks.lock();
            for &hash in few {
                if blocks.remove(hash) {
                    self.table.remove(hash, lane.slot());
                }
            }
            tell(few);
            MutexGuard::unlock_fair(blocks);
        }
    }

    /// Forgets as many blocks as `lane` held when this began; all and for good if its endpoint left the pool.
    ///
    /// The oldest go first, a few at a time: a pick that notes its blocks meanwhile waits only for those few.
    pub fn forget(&self, lane: &Lane, close: bool) {
        let mut left = lane.blocks.lock().closing(close).len();
        while left > 0 {
            let few = left.min(FORGOTTEN_AT_ONCE);
            let mut blocks = lane.blocks.lock();
            for _ in 0..few {
                let Some(hash) = blocks.evict() else { return };
                self.table.remove(hash, lane.slot());
            }
            left -= few;
            MutexGuard::unlock_fair(blocks);
        }
    }

    /// Estimated bytes that `blocks` blocks of all lanes take.
    pub fn bytes(blocks: usize) -> usize {
        blocks * BYTES_PER_BLOCK
    }

    /// Writes who of `holding` holds `hash` into `probed`; returns whether that is all of them.
    fn still_hold(&self, hash: u64, holding: &[u64], probed: &mut [u64]) -> bool {
        self.table.write(hash, probed);
        let mut same = true;
        for (probed, holding) in probed.iter_mut().zip(holding) {
            *probed &= holding;
            same &= *probed == *holding;
        }
        same
    }

    /// Touches `chain`, which follows `parent`, from tail to head; returns how many from its head on others were told of.
    fn touch(&self, lane: &Lane, blocks: &mut Blocks, parent: u64, chain: &[u64], generation: u32) -> usize {
        let mut known = chain.len();
        for (place, &hash) in chain.iter().enumerate().rev() {
            let parent = if place > 0 { chain[place - 1] } else { parent };
            let touched = blocks.touch(hash, parent, generation);
            if touched.is_new {
                self.table.insert(hash, lane.slot());
            }
            if !touched.was_told {
                known = place;
            }
        }
        known
    }

    /// Lets the oldest go until no more than `capacity` are left.
    fn trim(&self, lane: &Lane, blocks: &mut Blocks, capacity: usize) {
        while blocks.len() > capacity {
            let Some(hash) = blocks.evict() else { break };
            self.table.remove(hash, lane.slot());
        }
    }
}

fn settle(words: &[u64], depth: usize, depths: &mut [u32]) {
    for slot in slots(words) {
        if let Some(place) = depths.get_mut(slot as usize) {
            *place = u32::try_from(depth).unwrap_or(u32::MAX);
        }
    }
}

#[cfg(test)]
mod tests;
