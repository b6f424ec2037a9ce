//! Blocks leave, each after all that follow it.

use super::runs::{NIL, Run, Runs};

impl Runs {
    /// Takes the oldest block out.
    pub fn evict(&mut self) -> Option<u64> {
        (self.oldest != NIL).then(|| self.pop(self.leaf(self.oldest))).flatten()
    }

    /// Takes out what `run` holds from its block `from` on and all that follows that, the ends first, but no more than
    /// `limit` blocks; returns whether that was all.
    pub fn cut(&mut self, run: u32, from: usize, limit: usize, mut gone: impl FnMut(u64)) -> bool {
        let mut leaf = self.leaf(run);
        for _ in 0..limit {
            if leaf == run && self.runs[run].hashes.len() <= from {
                return true;
            }
            let Run { parent, ref hashes, .. } = self.runs[leaf];
            let is_last = hashes.len() == 1;
            self.pop(leaf).into_iter().for_each(&mut gone);
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

    fn pop(&mut self, run: u32) -> Option<u64> {
        self.forget_tail(run);
        let hash = self.runs[run].hashes.pop()?;
        self.blocks -= 1;
        if self.runs[run].hashes.is_empty() {
            self.remove(run, hash);
        }
        if self.blocks == 0 {
            self.clear();
        }
        Some(hash)
    }
}
