//! A handful of numbers by hash, packed: the page of a table.

use super::steps;

/// By how many cells a page grows. A page has ten or so.
const STEP: usize = 4;

/// Pairs of a hash and a number, in no order.
#[derive(Debug, Default)]
pub struct Cells {
    cells: Vec<Cell>,
}

/// 12 bytes: the hash is cut in two, because a u64 would make them 16.
#[derive(Clone, Copy, Debug)]
struct Cell {
    low: u32,
    high: u32,
    value: u32,
}

// === impl Cells ===

impl Cells {
    /// Where `hash` is.
    #[inline]
    pub fn find(&self, hash: u64) -> Option<usize> {
        let (low, high) = (hash as u32, (hash >> 32) as u32);
        let place = self.cells.iter().position(|cell| cell.low == low && cell.high == high);
        steps::count(place.unwrap_or(self.cells.len()));
        place
    }

    /// The number of `hash`.
    #[inline]
    pub fn get(&self, hash: u64) -> Option<u32> {
        Some(self.cells[self.find(hash)?].value)
    }

    /// The number at a place that was found.
    pub fn at_mut(&mut self, place: usize) -> &mut u32 {
        &mut self.cells[place].value
    }

    /// Adds a hash that is not there.
    pub fn push(&mut self, hash: u64, value: u32) {
        if self.cells.len() == self.cells.capacity() {
            steps::count(self.cells.len());
            self.cells.reserve_exact(STEP);
        }
        self.cells.push(Cell { low: hash as u32, high: (hash >> 32) as u32, value });
    }

    /// Takes out what is at a place that was found.
    pub fn remove(&mut self, place: usize) {
        self.cells.swap_remove(place);
        if self.cells.is_empty() {
            self.cells = Vec::new();
        } else if self.cells.capacity() - self.cells.len() > 2 * STEP {
            steps::count(self.cells.len());
            self.cells.shrink_to(self.cells.len() + STEP);
        }
    }

    /// Takes in all hashes of another, none of which is here.
    pub fn append(&mut self, other: Self) {
        steps::count(self.cells.len() + other.cells.len());
        self.cells.reserve_exact(other.cells.len());
        self.cells.extend(other.cells);
    }

    /// Keeps the hashes that do not move, and returns the others.
    pub fn split(&mut self, moves: impl Fn(u64) -> bool) -> Self {
        steps::count(2 * self.cells.len());
        let moving = |cell: &Cell| moves(cell.hash());
        let mut moved = Vec::with_capacity(self.cells.iter().filter(|cell| moving(cell)).count());
        moved.extend(self.cells.iter().filter(|cell| moving(cell)));
        self.cells.retain(|cell| !moving(cell));
        self.cells.shrink_to(self.cells.len() + STEP);
        Self { cells: moved }
    }

    /// All numbers, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.cells.iter_mut().map(|cell| &mut cell.value)
    }

    /// How many hashes there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.cells.len()
    }
}

// === impl Cell ===

impl Cell {
    fn hash(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}
