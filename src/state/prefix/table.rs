//! Which slots hold which blocks: a table of many small pages, each under a lock of its own.
//!
//! A page has some ten blocks, and the table grows by splitting one page in two ([`pages`]). So whoever reads waits
//! for a writer's work on one page and for nothing else, however big the table is.

pub mod cells;
mod holders;
mod page;
pub mod pages;
pub mod places;
mod sets;
pub mod slots;
pub mod steps;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use holders::MAX_SLOT;
use page::{Page, Written};
use pages::{Mix, page_of, splits_next};

/// Blocks on a page, on average: fewer would cost memory for locks, more would cost time to look through.
const PER_PAGE: usize = 10;
/// Pages that are made at once, in a tree of this many branches: none of them ever moves.
const BRANCHES: usize = 256;
/// One in so many blocks is counted, and stands for the others.
const COUNTED: usize = 16;
/// The most pages; a table of so many has 160 million blocks, and lets its pages become longer from then on.
const MAX_PAGES: usize = BRANCHES * BRANCHES * BRANCHES;

type Branch<T> = OnceLock<Box<[T]>>;

/// The table.
#[derive(Debug)]
pub struct Table {
    mix: Mix,
    /// How many pages there are. It changes only while the page that is split is locked for writing.
    pages: AtomicUsize,
    /// About how many blocks there are.
    blocks: AtomicUsize,
    growing: Mutex<()>,
    root: Box<[Branch<Branch<RwLock<Page>>>]>,
}

impl Default for Table {
    fn default() -> Self {
        let table = Self {
            mix: Mix::default(),
            pages: AtomicUsize::new(BRANCHES),
            blocks: AtomicUsize::new(0),
            growing: Mutex::default(),
            root: branches(),
        };
        table.make_room(0);
        table
    }
}

impl Table {
    /// Makes `slot` a holder of the block; returns whether it was none.
    pub fn insert(&self, hash: u64, slot: u32) -> bool {
        if slot > MAX_SLOT {
            return false;
        }
        let mixed = self.mix.mix(hash);
        let written = self.change(mixed, |page| page.insert(hash, slot));
        if written == Written::Block && is_counted(mixed) {
            self.blocks.fetch_add(COUNTED, Ordering::Relaxed);
            self.grow();
        }
        written != Written::Nothing
    }

    /// Makes `slot` no holder of the block.
    pub fn remove(&self, hash: u64, slot: u32) {
        let mixed = self.mix.mix(hash);
        let written = self.change(mixed, |page| page.remove(hash, slot));
        if written == Written::Block && is_counted(mixed) {
            self.blocks.fetch_sub(COUNTED, Ordering::Relaxed);
        }
    }

    /// Writes who holds the block into `words`.
    #[inline]
    pub fn write(&self, hash: u64, words: &mut [u64]) {
        self.read(hash, |page| page.write(hash, words));
    }

    /// Whether `slot` holds the block.
    pub fn holds(&self, hash: u64, slot: u32) -> bool {
        self.read(hash, |page| page.holds(hash, slot))
    }

    /// Whether nobody holds anything.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        (0..self.pages.load(Ordering::Acquire)).all(|number| self.page(number).read().len() == 0)
    }

    /// Looks at the page of a block. It may have been split before it was locked: then its blocks may be on another, at
    /// most once for each time that the table doubles.
    #[inline]
    fn read<T>(&self, hash: u64, look: impl FnOnce(&Page) -> T) -> T {
        let mixed = self.mix.mix(hash);
        let mut number = page_of(mixed, self.pages.load(Ordering::Acquire));
        loop {
            let page = self.page(number).read();
            let now = page_of(mixed, self.pages.load(Ordering::Acquire));
            if now == number {
                return look(&page);
            }
            number = now;
        }
    }

    fn change<T>(&self, mixed: u64, change: impl FnOnce(&mut Page) -> T) -> T {
        let mut number = page_of(mixed, self.pages.load(Ordering::Acquire));
        loop {
            let mut page = self.page(number).write();
            let now = page_of(mixed, self.pages.load(Ordering::Acquire));
            if now == number {
                steps::locked();
                return change(&mut page);
            }
            number = now;
        }
    }

    /// Splits as many pages as one counted block stands for, unless somebody else does that now.
    fn grow(&self) {
        let Some(_growing) = self.growing.try_lock() else { return };
        for _ in 0..=2 * COUNTED / PER_PAGE {
            let pages = self.pages.load(Ordering::Relaxed);
            if self.blocks.load(Ordering::Relaxed) <= PER_PAGE * pages || pages == MAX_PAGES {
                return;
            }
            self.make_room(pages);
            let mut page = self.page(splits_next(pages)).write();
            steps::locked();
            *self.page(pages).write() = page.split(|hash| page_of(self.mix.mix(hash), pages + 1) == pages);
            self.pages.store(pages + 1, Ordering::Release);
        }
    }

    /// Makes this page, and those beside it, if need be.
    fn make_room(&self, number: usize) {
        let branch = self.root[number / (BRANCHES * BRANCHES)].get_or_init(branches);
        branch[number / BRANCHES % BRANCHES].get_or_init(branches);
    }

    #[inline]
    fn page(&self, number: usize) -> &RwLock<Page> {
        let branch = self.root[number / (BRANCHES * BRANCHES)].get();
        let pages = branch.and_then(|branch| branch[number / BRANCHES % BRANCHES].get());
        &pages.expect("a page is made before it is counted")[number % BRANCHES]
    }
}

fn branches<T: Default>() -> Box<[T]> {
    (0..BRANCHES).map(|_| T::default()).collect()
}

/// By bits that do not decide the page.
fn is_counted(mixed: u64) -> bool {
    mixed >> 32 & (COUNTED as u64 - 1) == 0
}

#[cfg(test)]
mod tests;
