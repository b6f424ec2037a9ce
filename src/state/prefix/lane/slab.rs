//! Values by number. It grows by a few at a time, never moves what it has, and gives back what is free.

use std::ops::{Index, IndexMut};

/// Values that are made room for at once: one for each bit of a mask.
const CHUNK: usize = u32::BITS as usize;

/// A slab.
#[derive(Debug)]
pub struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// A bit for each chunk that has room; none behind the last chunk.
    room: Vec<u64>,
    /// No word of `room` before this one has a bit.
    first: usize,
    len: usize,
}

/// It takes no memory where nothing is taken. One value that stays keeps the whole chunk.
#[derive(Debug)]
struct Chunk<T> {
    values: Vec<T>,
    /// A bit for each value that was not taken out.
    taken: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), room: Vec::new(), first: 0, len: 0 }
    }
}

impl<T> Slab<T> {
    /// Puts a value in; returns its number, the lowest that is free: so the highest become free, and their memory is
    /// given back, though nothing ever moves.
    pub fn add(&mut self, value: T) -> u32 {
        let number = self.roomy();
        let chunk = &mut self.chunks[number];
        let place = chunk.taken.trailing_ones() as usize;
        chunk.taken |= 1 << place;
        if chunk.taken == u32::MAX {
            self.room[number / 64] &= !(1 << (number % 64));
        }
        if chunk.values.capacity() == 0 {
            chunk.values.reserve_exact(CHUNK);
        }
        match chunk.values.get_mut(place) {
            Some(free) => *free = value,
            None => chunk.values.push(value),
        }
        self.len += 1;
        u32::try_from(number * CHUNK + place).expect("a lane's capacity is far below 2^32 blocks")
    }

    /// Takes a value out that is in it.
    pub fn remove(&mut self, number: u32)
    where
        T: Default,
    {
        let (number, place) = (number as usize / CHUNK, number as usize % CHUNK);
        let chunk = &mut self.chunks[number];
        chunk.values[place] = T::default();
        chunk.taken &= !(1 << place);
        self.len -= 1;
        self.room[number / 64] |= 1 << (number % 64);
        self.first = self.first.min(number / 64);
        if chunk.taken == 0 {
            chunk.values = Vec::new();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first chunk that has room. A lane of four million values has 2,048 words to look at.
    fn roomy(&mut self) -> usize {
        let words = self.room[self.first..].iter().take_while(|word| **word == 0);
        self.first += words.count();
        if let Some(word) = self.room.get(self.first) {
            return self.first * 64 + word.trailing_zeros() as usize;
        }
        let number = self.chunks.len();
        self.chunks.push(Chunk { values: Vec::new(), taken: 0 });
        self.room.resize(number / 64 + 1, 0);
        self.room[number / 64] |= 1 << (number % 64);
        self.first = number / 64;
        number
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: u32) -> &T {
        &self.chunks[number as usize / CHUNK].values[number as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.chunks[number as usize / CHUNK].values[number as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn keeps_what_is_in_it_at_the_lowest_numbers_and_no_memory_for_chunks_that_are_free(
            steps in prop::collection::vec((0u8..5, any::<prop::sample::Index>()), 0..6_000),
        ) {
            let (mut slab, mut held) = (Slab::default(), BTreeMap::new());
            // In thousands it grows, and then it shrinks.
            for (at, (action, which)) in steps.into_iter().enumerate() {
                let adds = if at / 1_500 % 2 == 0 { 4 } else { 1 };
                if action < adds || held.is_empty() {
                    let number = slab.add(at);
                    let lowest = (0..).zip(held.keys()).find_map(|(free, taken)| (free != *taken).then_some(free));
                    prop_assert_eq!(number, lowest.unwrap_or(held.len() as u32));
                    held.insert(number, at);
                } else {
                    let number = *held.keys().nth(which.index(held.len())).expect("held");
                    slab.remove(number);
                    held.remove(&number);
                }
                prop_assert_eq!(slab.len(), held.len());
            }
            prop_assert!(held.iter().all(|(number, value)| slab[*number] == *value));
            for (number, chunk) in (0u32..).zip(&slab.chunks) {
                let first = number * CHUNK as u32;
                let is_held = held.range(first..first + CHUNK as u32).next().is_some();
                prop_assert_eq!(chunk.values.capacity(), if is_held { CHUNK } else { 0 });
            }
        }
    }
}
