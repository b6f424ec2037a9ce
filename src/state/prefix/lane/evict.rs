//! Blocks leave, each after all that follow it.

use super::runs::{NIL, Run, Runs};

impl Runs {
    /// Takes the oldest blocks out, so many of them.
    pub fn evict(&mut self, mut blocks: usize, mut gone: impl FnMut(u64)) {
        while blocks > 0 && self.oldest != NIL {
            blocks -= self.shorten(self.leaf(self.oldest), blocks, &mut gone);
        }
    }

    /// Takes blocks off the end of `chain`, the last one first, as far as nothing follows them and this `credit` was the
    /// last that touched them, but no more than `limit`; returns how many.
    pub fn cut(&mut self, chain: &[u64], credit: u32, limit: usize, mut gone: impl FnMut(u64)) -> usize {
        let mut run = self.ending(chain).unwrap_or(NIL);
        let mut taken = 0;
        while taken < limit && run != NIL {
            let Run { parent, child, mark, ref hashes, .. } = self.runs[run];
            if child != NIL || mark.credit != credit {
                break;
            }
            let same = common_end(hashes, &chain[..chain.len() - taken]);
            let blocks = same.min(limit - taken);
            let is_whole = blocks == hashes.len();
            taken += self.shorten(run, blocks, &mut gone);
            if !is_whole {
                break;
            }
            run = parent;
        }
        taken
    }

    /// The run ends elsewhere from now on, or is gone.
    pub(super) fn forget_tail(&mut self, run: u32) {
        if !self.tails.is_empty()
            && let Some(last) = self.runs[run].last()
        {
            self.tails.remove(last);
        }
    }

    /// A run that follows this one and that no other follows. Where all was made young from its tail to its head, the
    /// oldest run is such a one itself; not where `renewals` have ended before the head.
    fn leaf(&self, mut run: u32) -> u32 {
        while self.runs[run].child != NIL {
            run = self.runs[run].child;
        }
        run
    }

    /// Takes up to so many blocks off the end of a run that no other follows, the last one first; returns how many.
    fn shorten(&mut self, run: u32, blocks: usize, gone: impl FnMut(u64)) -> usize {
        self.forget_tail(run);
        let hashes = &mut self.runs[run].hashes;
        let left = hashes.len().saturating_sub(blocks);
        let (head, taken) = (hashes[0], hashes.len() - left);
        hashes.drain(left..).rev().for_each(gone);
        self.blocks -= taken;
        if left == 0 {
            self.remove(run, head)
        } else {
            self.note_tail(run)
        }
        if self.blocks == 0 {
            self.clear();
        }
        taken
    }
}

/// How many blocks both end with.
fn common_end(one: &[u64], other: &[u64]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
}
