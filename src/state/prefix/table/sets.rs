//! The sets of one page that are too big to stand beside their hash.
//!
//! A set takes 1, 2, 4, … words. It is a list of four slots a word or a bit a slot, whichever is smaller: in a pool of
//! 5,000 endpoints a block that five of them hold takes 16 bytes, and one that all hold takes a kilobyte.

use super::holders::Holders;
use super::slots::{bit, slots, word, words_for};
use super::steps;

/// No slot: what stands in a list where there is room.
const NOBODY: u16 = u16::MAX;
const SLOTS_PER_WORD: usize = 4;

/// Where a set lies: 25 bits of first word, 4 bits of its size, whether it is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u32);

/// Sets of slots beside each other.
#[derive(Debug, Default)]
pub struct Sets(
    /// Most pages have none.
    Option<Box<Heap>>,
);

#[derive(Debug, Default)]
struct Heap {
    words: Vec<u64>,
    /// How many of them no set uses.
    idle: usize,
}

// === impl Place ===

impl Place {
    fn new(start: usize, size_log2: u32, is_list: bool) -> Self {
        Self((start as u32) << 5 | size_log2 << 1 | u32::from(is_list))
    }

    fn start(self) -> usize {
        (self.0 >> 5) as usize
    }

    fn size(self) -> usize {
        1 << (self.0 >> 1 & 15)
    }

    fn is_list(self) -> bool {
        self.0 & 1 == 1
    }
}

// === impl Sets ===

impl Sets {
    /// Adds a set of these slots.
    pub fn add(&mut self, slots: &[u32]) -> Place {
        let highest = slots.iter().max().map_or(0, |highest| *highest);
        let bits = words_for(highest as usize + 1).next_power_of_two();
        let list = slots.len().div_ceil(SLOTS_PER_WORD).next_power_of_two();
        let is_list = list < bits && highest < u32::from(NOBODY);
        let size = if is_list { list } else { bits };
        let heap = self.0.get_or_insert_default();
        let start = heap.words.len();
        if heap.words.capacity() < start + size {
            steps::count(start);
            heap.words.reserve_exact(size.max(start / 8));
        }
        heap.words.resize(start + size, if is_list { u64::MAX } else { 0 });
        let place = Place::new(start, size.trailing_zeros(), is_list);
        slots.iter().for_each(|slot| {
            self.put(place, *slot);
        });
        place
    }

    /// Adds a slot to a set; returns where the set lies now, or `None` where the slot was in it.
    pub fn insert(&mut self, place: Place, slot: u32) -> Option<Place> {
        if self.contains(place, slot) {
            return None;
        }
        if self.put(place, slot) {
            return Some(place);
        }
        let all: Vec<u32> = self.slots(place).chain([slot]).collect();
        self.free(place);
        Some(self.add(&all))
    }

    /// Removes a slot from a set; returns whether it was in it.
    pub fn remove(&mut self, place: Place, slot: u32) -> bool {
        let found = self.contains(place, slot);
        if found && place.is_list() {
            let entry = slot as u16;
            let word = self.words_mut(place).iter_mut().find(|word| lanes(**word).contains(&entry));
            word.into_iter()
                .for_each(|word| *word = join(lanes(*word).map(|it| if it == entry { NOBODY } else { it })));
        } else if found {
            self.words_mut(place)[word(slot)] &= !bit(slot);
        }
        found
    }

    /// Whether a slot is in a set.
    pub fn contains(&self, place: Place, slot: u32) -> bool {
        let words = self.words(place);
        if place.is_list() {
            u16::try_from(slot)
                .is_ok_and(|slot| slot != NOBODY && words.iter().any(|word| lanes(*word).contains(&slot)))
        } else {
            words.get(word(slot)).is_some_and(|word| word & bit(slot) != 0)
        }
    }

    /// The slots of a set.
    pub fn slots(&self, place: Place) -> impl Iterator<Item = u32> + '_ {
        let (list, bits) =
            if place.is_list() { (self.words(place), [].as_slice()) } else { (&[][..], self.words(place)) };
        let listed = list.iter().flat_map(|word| lanes(*word)).filter(|slot| *slot != NOBODY).map(u32::from);
        listed.chain(slots(bits))
    }

    /// Nobody uses the set any more.
    pub fn free(&mut self, place: Place) {
        if let Some(heap) = &mut self.0 {
            heap.idle += place.size();
        }
    }

    /// Writes a set into `to`, as far as it reaches.
    #[inline]
    pub fn write(&self, place: Place, to: &mut [u64]) {
        to.fill(0);
        let words = self.words(place);
        if place.is_list() {
            for slot in words.iter().flat_map(|word| lanes(*word)).filter(|slot| *slot != NOBODY).map(u32::from) {
                if let Some(word) = to.get_mut(word(slot)) {
                    *word |= bit(slot);
                }
            }
        } else {
            let shared = words.len().min(to.len());
            to[..shared].copy_from_slice(&words[..shared]);
        }
    }

    /// Whether more than a quarter of the words are idle.
    pub fn is_wasteful(&self) -> bool {
        self.0.as_ref().is_some_and(|heap| heap.idle * 4 > heap.words.len())
    }

    /// Leaves out what is idle. `holders` are all that have a set here.
    pub fn compact<'a>(&mut self, holders: impl Iterator<Item = &'a mut u32>) {
        let mut kept = Self::default();
        kept.take(self, holders);
        *self = kept;
    }

    /// Takes the sets of these `holders` over from `others`.
    pub fn take<'a>(&mut self, others: &Self, holders: impl Iterator<Item = &'a mut u32>) {
        for value in holders {
            if let Some(place) = Holders(*value).place() {
                let words = others.words(place);
                steps::count(words.len());
                let heap = self.0.get_or_insert_default();
                let moved = Place::new(heap.words.len(), words.len().trailing_zeros(), place.is_list());
                heap.words.extend_from_slice(words);
                *value = Holders::many(moved).0;
            }
        }
        if let Some(heap) = &mut self.0 {
            heap.words.shrink_to_fit();
        }
    }

    /// Returns whether there was room.
    fn put(&mut self, place: Place, slot: u32) -> bool {
        let words = self.words_mut(place);
        if !place.is_list() {
            return words.get_mut(word(slot)).map(|word| *word |= bit(slot)).is_some();
        }
        let Some(slot) = u16::try_from(slot).ok().filter(|slot| *slot != NOBODY) else { return false };
        let free = words.iter_mut().find_map(|word| Some((lanes(*word).iter().position(|it| *it == NOBODY)?, word)));
        free.map(|(lane, word)| {
            let mut slots = lanes(*word);
            slots[lane] = slot;
            *word = join(slots);
        })
        .is_some()
    }

    #[inline]
    fn words(&self, place: Place) -> &[u64] {
        self.0.as_ref().map_or(&[], |heap| &heap.words[place.start()..][..place.size()])
    }

    fn words_mut(&mut self, place: Place) -> &mut [u64] {
        steps::count(place.size());
        self.0.as_mut().map_or(&mut [], |heap| &mut heap.words[place.start()..][..place.size()])
    }
}

/// The slots in a word of a list.
fn lanes(word: u64) -> [u16; SLOTS_PER_WORD] {
    [0, 16, 32, 48].map(|shift| (word >> shift) as u16)
}

fn join(lanes: [u16; SLOTS_PER_WORD]) -> u64 {
    lanes.iter().rev().fold(0, |word, lane| word << 16 | u64::from(*lane))
}
