//! Which page of a table a hash is on, while the table grows by one page at a time.
//!
//! ```text
//!   64 pages    a hash is on page (its last 6 bits)
//!   65 pages    page 0 was split: those of its hashes whose 7th bit is set are on page 64
//!   ...
//!   128 pages   all pages were split, and page 0 is next again, by the 8th bit
//! ```
//!
//! So no moment comes at which a table is built anew: that would let everybody wait, and take twice the memory.

/// Mixes hashes by a key of its own: blocks are hashed as everybody can, and whoever writes prompts might fill one page.
#[derive(Clone, Debug, Default)]
pub struct Mix(ahash::RandomState);

impl Mix {
    /// A number that only this process can foretell.
    #[inline]
    pub fn mix(&self, hash: u64) -> u64 {
        self.0.hash_one(hash)
    }
}

/// The page of a mixed hash where there are so many pages, at least 1.
#[inline]
pub fn page_of(mixed: u64, pages: usize) -> usize {
    let span = (pages + 1).next_power_of_two();
    let page = mixed as usize & (span - 1);
    if page < pages { page } else { page & (span / 2 - 1) }
}

/// The page that gives hashes to the next one, where there are so many.
pub fn splits_next(pages: usize) -> usize {
    pages - (pages + 1).next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_more_page_moves_hashes_only_from_the_page_that_splits_to_the_new_one(mixed: u64, pages in 1usize..5_000) {
            let (before, after) = (page_of(mixed, pages), page_of(mixed, pages + 1));
            prop_assert!(before < pages);
            prop_assert!(after == before || (after == pages && before == splits_next(pages)));
        }
    }

    #[test]
    fn hashes_are_spread_over_all_pages() {
        let mix = Mix::default();
        let mut found = [0; 100];
        (0..100_000).for_each(|hash| found[page_of(mix.mix(hash), 100)] += 1);
        // 28 pages are not split yet, 72 are halves.
        assert!(found.iter().all(|found| (500..2_500).contains(found)), "{found:?}");
    }
}
