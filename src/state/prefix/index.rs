//! The index that picks read.

mod merge;

use parking_lot::MutexGuard;

pub use merge::{Budget, Tail};

use super::lane::{Lane, Mark, NIL, Runs};
use super::table::Table;
use super::table::slots::{slots, words_for};

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

    /// Credits `chain` to `lane`, the newest of up to `capacity` blocks; a tail is always older than its head. Returns
    /// the number of this credit, by which it can be [taken back](Self::retract).
    pub fn record(&self, lane: &Lane, chain: &[u64], capacity: usize) -> u32 {
        self.record_and_tell(lane, chain, capacity, 0, |_, _, _| ())
    }

    /// Credits `chain` as [`record`](Self::record) does, where others are told of it.
    ///
    /// `tell` gets what was credited, how many of its blocks others were told of before in this `generation`, and the
    /// number of the credit. It runs while the lane is locked, so that the news of one lane leave in their order.
    pub fn record_and_tell(
        &self,
        lane: &Lane,
        chain: &[u64],
        capacity: usize,
        generation: u32,
        tell: impl FnOnce(&[u64], usize, u32),
    ) -> u32 {
        let chain = &chain[..chain.len().min(capacity)];
        let mut runs = lane.runs.lock();
        if runs.is_closed() {
            return 0;
        }
        let credit = runs.next_credit();
        let known = self.touch(lane, &mut runs, NIL, chain, Mark { told: generation, credit }, &mut 0);
        self.trim(lane, &mut runs, capacity, chain.len());
        tell(chain, known, credit);
        credit
    }

    /// Takes back what `lane` was credited with of `chain` from its block `known` on by this `credit`: the request failed
    /// there, or went elsewhere. The chain's last block goes first, and the first one that anything follows, or that
    /// another credit has touched since, ends it: that is somebody else's too, who may have got his answer. Nothing is of
    /// credit 0. The chain begins at its head, or anywhere where others tell.
    ///
    /// A few blocks at a time, so that nobody waits for all of them. `tell` gets those few, and runs as in
    /// [`record_and_tell`](Self::record_and_tell).
    pub fn retract(&self, lane: &Lane, chain: &[u64], known: usize, credit: u32, mut tell: impl FnMut(&[u64])) {
        let mut chain = chain;
        while chain.len() > known && credit != 0 {
            let mut runs = lane.runs.lock();
            // Others may have evicted its end. What is held of a chain is held from its head on.
            let held = known + chain[known..].partition_point(|hash| self.table.holds(*hash, lane.slot()));
            let few = FORGOTTEN_AT_ONCE.min(held - known);
            let taken = runs.cut(&chain[..held], credit, few, |hash| self.table.remove(hash, lane.slot()));
            let (rest, gone) = chain[..held].split_at(held - taken);
            if taken > 0 {
                tell(gone);
            }
            MutexGuard::unlock_fair(runs);
            if taken < FORGOTTEN_AT_ONCE {
                break;
            }
            chain = rest;
        }
    }

    /// Forgets as many blocks as `lane` held when this began; all and for good if its endpoint left the pool.
    ///
    /// The oldest go first, a few at a time: a pick that notes its blocks meanwhile waits only for those few.
    pub fn forget(&self, lane: &Lane, close: bool) {
        let mut left = lane.runs.lock().closing(close).len();
        while left > 0 {
            let few = left.min(FORGOTTEN_AT_ONCE);
            let mut runs = lane.runs.lock();
            runs.evict(few, |hash| self.table.remove(hash, lane.slot()));
            left -= few;
            MutexGuard::unlock_fair(runs);
        }
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

    /// Makes `chain`, which follows the run `above`, the newest; returns how many from its first on others were told of.
    fn touch(
        &self,
        lane: &Lane,
        runs: &mut Runs,
        above: u32,
        chain: &[u64],
        mark: Mark,
        renewals: &mut usize,
    ) -> usize {
        runs.touch(above, chain, mark, renewals, |hash| self.table.insert(hash, lane.slot()))
    }

    /// Lets the oldest go for the `added` blocks that came, so that no more than `capacity` are left; a few more where that
    /// has become smaller, so that nobody waits for all of them.
    fn trim(&self, lane: &Lane, runs: &mut Runs, capacity: usize, added: usize) {
        let more = runs.len().saturating_sub(capacity);
        runs.evict(more.min(added + FORGOTTEN_AT_ONCE), |hash| self.table.remove(hash, lane.slot()));
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
