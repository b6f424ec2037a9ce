//! A map from hash to a small number for one owner. It grows and shrinks by a page at a time.

use super::cells::Cells;
use super::pages::{Mix, page_of, splits_next};

/// Hashes on a page, on average.
const PER_PAGE: usize = 10;

/// What one owner knows by hash.
#[derive(Debug, Default)]
pub struct Places {
    pages: Vec<Cells>,
    len: usize,
    mix: Mix,
}

impl Places {
    /// The number of `hash`.
    pub fn get(&self, hash: u64) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        self.pages[self.page(hash)].get(hash)
    }

    /// Sets the number of `hash`.
    pub fn set(&mut self, hash: u64, value: u32) {
        if self.len >= PER_PAGE * self.pages.len() {
            self.grow();
        }
        let page = self.page(hash);
        match self.pages[page].find(hash) {
            Some(place) => *self.pages[page].at_mut(place) = value,
            None => {
                self.pages[page].push(hash, value);
                self.len += 1;
            }
        }
    }

    /// Takes `hash` out.
    pub fn remove(&mut self, hash: u64) {
        if self.is_empty() {
            return;
        }
        let page = self.page(hash);
        if let Some(place) = self.pages[page].find(hash) {
            self.pages[page].remove(place);
            self.len -= 1;
            if self.pages.len() > 1 && self.len < PER_PAGE / 2 * self.pages.len() {
                self.shrink();
            }
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many hashes are known.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    fn grow(&mut self) {
        let pages = self.pages.len();
        if pages == 0 {
            self.pages.push(Cells::default());
            return;
        }
        let mix = &self.mix;
        let moved = self.pages[splits_next(pages)].split(|hash| page_of(mix.mix(hash), pages + 1) == pages);
        self.pages.push(moved);
    }

    /// What the last page got when it was split off goes back to where it came from.
    fn shrink(&mut self) {
        let Some(last) = self.pages.pop() else { return };
        let pages = self.pages.len();
        self.pages[splits_next(pages)].append(last);
        // As rarely as it is doubled.
        if self.pages.capacity() > 4 * pages {
            self.pages.shrink_to(2 * pages);
        }
    }

    fn page(&self, hash: u64) -> usize {
        page_of(self.mix.mix(hash), self.pages.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn what_knew_much_takes_little() {
        let mut places = Places::default();
        (0..100_000).for_each(|hash| places.set(hash, 7));
        let grown = places.pages.len();
        (0..99_900).for_each(|hash| places.remove(hash));
        assert!((99_900..100_000).all(|hash| places.get(hash) == Some(7)));
        assert_eq!((grown, places.pages.len()), (100_000 / PER_PAGE, 100 * 2 / PER_PAGE));
        assert!(places.pages.capacity() <= 4 * places.pages.len());
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), 0u64..300, any::<u32>()), 0..600)) {
            let (mut places, mut map) = (Places::default(), HashMap::new());
            for (set, hash, value) in steps {
                let hash = hash << 40 | hash;
                if set {
                    places.set(hash, value);
                    map.insert(hash, value);
                } else {
                    places.remove(hash);
                    map.remove(&hash);
                }
                prop_assert_eq!((places.get(hash), places.is_empty()), (map.get(&hash).copied(), map.is_empty()));
            }
            prop_assert!(map.iter().all(|(hash, value)| places.get(*hash) == Some(*value)));
        }
    }
}
