//! One page of the table: blocks, and who holds each.

use super::cells::Cells;
use super::holders::{Holders, Removed};
use super::sets::Sets;

/// Blocks that were mixed to the same place.
#[derive(Debug, Default)]
pub struct Page {
    cells: Cells,
    sets: Sets,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The slot was a holder already, or was none.
    Nothing,
    /// The slot, one of several.
    Holder,
    /// The block came or went with it.
    Block,
}

impl Page {
    /// Makes `slot` a holder of `hash`.
    pub fn insert(&mut self, hash: u64, slot: u32) -> Written {
        let Some(place) = self.cells.find(hash) else {
            self.cells.push(hash, Holders::one(slot).0);
            return Written::Block;
        };
        let value = self.cells.at_mut(place);
        let mut holders = Holders(*value);
        let is_new = holders.insert(slot, &mut self.sets);
        *value = holders.0;
        self.tidy();
        if is_new { Written::Holder } else { Written::Nothing }
    }

    /// Makes `slot` no holder of `hash`.
    pub fn remove(&mut self, hash: u64, slot: u32) -> Written {
        let Some(place) = self.cells.find(hash) else { return Written::Nothing };
        let value = self.cells.at_mut(place);
        let mut holders = Holders(*value);
        let removed = holders.remove(slot, &mut self.sets);
        *value = holders.0;
        if removed == Removed::Last {
            self.cells.remove(place);
        }
        self.tidy();
        match removed {
            Removed::Nothing => Written::Nothing,
            Removed::OneOfSeveral => Written::Holder,
            Removed::Last => Written::Block,
        }
    }

    /// Writes who holds `hash` into `words`.
    #[inline]
    pub fn write(&self, hash: u64, words: &mut [u64]) {
        match self.cells.get(hash) {
            Some(value) => Holders(value).write(&self.sets, words),
            None => words.fill(0),
        }
    }

    /// Whether `slot` holds `hash`.
    pub fn holds(&self, hash: u64, slot: u32) -> bool {
        self.cells.get(hash).is_some_and(|value| Holders(value).contains(slot, &self.sets))
    }

    /// Keeps the blocks that do not move, and returns the others.
    pub fn split(&mut self, moves: impl Fn(u64) -> bool) -> Self {
        let mut cells = self.cells.split(moves);
        let mut sets = Sets::default();
        sets.take(&self.sets, cells.values_mut());
        self.sets.compact(self.cells.values_mut());
        Self { cells, sets }
    }

    /// How many blocks it has.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    fn tidy(&mut self) {
        if self.sets.is_wasteful() {
            self.sets.compact(self.cells.values_mut());
        }
    }
}
