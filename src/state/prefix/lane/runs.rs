//! The blocks of one endpoint as a tree of runs, and the runs by age.
//!
//! ```text
//!   run A: b1 b2 b3 -+- run B: b4 b5        a run is a stretch of a chain that was last touched at once
//!                    +- run C: c4 c5 c6     a chain is a path from a root
//! ```
//!
//! Within a run the last block is the oldest, and a run is older than the one that it follows. So the oldest block of all
//! is the last one of the oldest run, as if every block were in a list by age; but a block costs the 8 bytes of its hash,
//! and a chain is found and made young in a few steps, however long it is.

use ahash::RandomState;
use smallvec::SmallVec;

use super::super::table::places::Places;
use super::slab::Slab;

/// No run.
pub const NIL: u32 = u32::MAX;
/// Blocks of a run, so that what is moved when one grows or splits is bounded.
pub const MAX_RUN: usize = 512;

/// The tree.
#[derive(Debug)]
pub struct Runs {
    pub(super) runs: Slab<Run>,
    /// The run that begins with a block.
    pub(super) heads: Places,
    /// The run that ends with a block; only where others tell of chains that follow it.
    pub(super) tails: Places,
    pub(super) keeps_tails: bool,
    pub(super) newest: u32,
    pub(super) oldest: u32,
    pub(super) blocks: usize,
    /// Room for the runs of a chain.
    pub(super) path: Vec<u32>,
    /// The last credit that was given here. Begun by chance, so that two replicas hardly ever give the same.
    credits: u32,
    /// Gone: its endpoint left the pool, and nothing may be credited to it again.
    closed: bool,
}

/// Up to two are kept in the run itself: what many short prompts have of their own takes no further piece of memory.
pub(super) type Hashes = SmallVec<[u64; 2]>;

/// A stretch of one chain.
#[derive(Debug)]
pub(super) struct Run {
    /// Never empty.
    pub hashes: Hashes,
    pub newer: u32,
    pub older: u32,
    /// The run that it follows.
    pub parent: u32,
    /// One of those that follow it, and the others beside that.
    pub child: u32,
    pub before: u32,
    pub after: u32,
    pub mark: Mark,
}

/// What whoever touches a chain leaves on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// In which generation of news others were last told of it.
    pub told: u32,
    /// The credit by which it was touched last; 0 for none that could be taken back.
    pub credit: u32,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            runs: Slab::default(),
            heads: Places::default(),
            tails: Places::default(),
            keeps_tails: false,
            newest: NIL,
            oldest: NIL,
            blocks: 0,
            path: Vec::new(),
            credits: RandomState::new().hash_one(0) as u32,
            closed: false,
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            hashes: Hashes::new(),
            newer: NIL,
            older: NIL,
            parent: NIL,
            child: NIL,
            before: NIL,
            after: NIL,
            mark: Mark::default(),
        }
    }
}

impl Run {
    /// Its oldest block.
    pub fn last(&self) -> Option<u64> {
        self.hashes.last().copied()
    }
}

impl Runs {
    /// Blocks held now.
    pub fn len(&self) -> usize {
        self.blocks
    }

    /// Of how many runs they are.
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// Whether it knows where runs end.
    pub fn keeps_tails(&self) -> bool {
        self.keeps_tails
    }

    /// A number for one more credit, never 0.
    pub fn next_credit(&mut self) -> u32 {
        self.credits = self.credits.wrapping_add(1).max(1);
        self.credits
    }

    /// Whether the endpoint has left the pool.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes nothing in any more if `close`.
    pub fn closing(&mut self, close: bool) -> &Self {
        self.closed |= close;
        self
    }

    /// The run that ends with the last block of `chain`: by that block where ends are known, else from the chain's
    /// first block on, which has to be the first of its run.
    pub fn ending(&self, chain: &[u64]) -> Option<u32> {
        if self.keeps_tails {
            return self.tails.get(*chain.last()?);
        }
        let (mut run, mut rest) = (NIL, chain);
        while let Some(first) = rest.first() {
            run = self.heads.get(*first)?;
            let hashes = &self.runs[run].hashes;
            if common(hashes, rest) < hashes.len() {
                return None;
            }
            rest = &rest[hashes.len()..];
        }
        (run != NIL).then_some(run)
    }

    /// Where a block is that stands alone: quickly at both ends of a run, else by looking through the newest, as far as
    /// `steps` reach. They are lowered by what is looked at.
    pub fn find_one(&self, hash: u64, steps: &mut usize) -> Option<(u32, usize)> {
        /// Half a megabyte, some ten microseconds: more than most engines hold at all.
        const LOOKED_THROUGH: usize = 1 << 16;
        /// Another run is elsewhere in memory: as dear as so many hashes.
        const TO_A_RUN: usize = 16;
        if let Some(run) = self.heads.get(hash) {
            return Some((run, 0));
        }
        if let Some(run) = self.tails.get(hash) {
            return Some((run, self.runs[run].hashes.len() - 1));
        }
        let (mut run, mut left) = (self.newest, LOOKED_THROUGH.min(*steps));
        while run != NIL && left > 0 {
            let Run { hashes, older, .. } = &self.runs[run];
            let cost = left.min(hashes.len() + TO_A_RUN);
            left -= cost;
            *steps -= cost;
            if let Some(offset) = hashes.iter().position(|held| *held == hash) {
                return Some((run, offset));
            }
            run = *older;
        }
        None
    }

    /// Puts a run in, the newest and the first child of its parent.
    pub(super) fn add(&mut self, run: Run) -> u32 {
        let (parent, head) = (run.parent, run.hashes[0]);
        let number = self.runs.add(run);
        self.heads.set(head, number);
        if parent != NIL {
            let sibling = std::mem::replace(&mut self.runs[parent].child, number);
            self.runs[number].after = sibling;
            if sibling != NIL {
                self.runs[sibling].before = number;
            }
        }
        self.link_newest(number);
        number
    }

    /// Takes out a run that nothing follows and whose blocks were taken out, of which `head` was the first.
    pub(super) fn remove(&mut self, run: u32, head: u64) {
        self.heads.remove(head);
        self.unlink(run);
        let Run { parent, before, after, .. } = self.runs[run];
        self.follow(parent, before, after);
        if after != NIL {
            self.runs[after].before = before;
        }
        self.runs.remove(run);
    }

    /// `run` comes after `before` among the children of `parent`.
    pub(super) fn follow(&mut self, parent: u32, before: u32, run: u32) {
        if before != NIL {
            self.runs[before].after = run;
        } else if parent != NIL {
            self.runs[parent].child = run;
        }
    }

    /// Gives back the memory of what it held; it holds nothing now.
    pub(super) fn clear(&mut self) {
        let Self { closed, keeps_tails, credits, .. } = *self;
        *self = Self { closed, keeps_tails, credits, ..Self::default() };
    }

    pub(super) fn link_newest(&mut self, run: u32) {
        let before = std::mem::replace(&mut self.newest, run);
        self.runs[run].older = before;
        self.runs[run].newer = NIL;
        if before == NIL { self.oldest = run } else { self.runs[before].newer = run }
    }

    pub(super) fn unlink(&mut self, run: u32) {
        let Run { newer, older, .. } = self.runs[run];
        if newer == NIL {
            self.newest = older
        } else {
            self.runs[newer].older = older
        }
        if older == NIL { self.oldest = newer } else { self.runs[older].newer = newer }
    }

    /// All that it holds, the newest first.
    #[cfg(test)]
    pub fn by_age(&self) -> Vec<u64> {
        let mut run = self.newest;
        let by_age = std::iter::from_fn(|| {
            let found = (run != NIL).then(|| &self.runs[run])?;
            run = found.older;
            Some(found.hashes.iter().copied())
        });
        by_age.flatten().collect()
    }
}

/// How many blocks both begin with.
pub(super) fn common(one: &[u64], other: &[u64]) -> usize {
    let len = one.len().min(other.len());
    if one[..len] == other[..len] {
        return len;
    }
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests;
