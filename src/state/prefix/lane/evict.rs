//! Blocks leave, each after all that follow it.

use super::runs::{NIL, Run, Runs};

impl Runs {
    /// Takes the oldest blocks out, so many of them.
    pub fn evict(&mut self, mut blocks: usize, mut gone: impl FnMut(u64)) {
        while blocks > 0 && self.oldest != NIL {
            blocks -= self.shorten(self.leaf(self.oldest), blocks, &mut gone);
        }
    }

    /// Takes out what `run` holds from its block `from` on and all that follows that, the ends first, but no more than
    /// `limit` blocks; returns whether that was all.
    pub fn cut(&mut self, run: u32, from: usize, mut limit: usize, mut gone: impl FnMut(u64)) -> bool {
        let mut leaf = self.leaf(run);
        while limit > 0 {
            let Run { parent, ref hashes, .. } = self.runs[leaf];
            let blocks = if leaf == run { hashes.len() - from } else { hashes.len() };
            let is_last = blocks <= limit;
            limit -= self.shorten(leaf, blocks.min(limit), &mut gone);
            if is_last {
                if leaf == run {
                    return true;
                }
                leaf = self.leaf(parent);
            }
        }
        leaf == run && self.runs[run].hashes.len() <= from
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
