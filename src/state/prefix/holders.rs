//! A set of slots, small where it usually is.

/// The slots that hold one block; 16 bytes while it is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Holders {
    /// Just this slot.
    One(u32),
    /// A bit a slot.
    Many(Box<[u64]>),
}

impl Holders {
    /// Adds a slot.
    pub fn insert(&mut self, slot: u32) {
        if let Self::One(only) = *self {
            if only == slot {
                return;
            }
            let mut words = vec![0; word(only.max(slot)) + 1].into_boxed_slice();
            words[word(only)] |= bit(only);
            *self = Self::Many(words);
        }
        if let Self::Many(words) = self {
            if word(slot) >= words.len() {
                let mut longer = vec![0; word(slot) + 1].into_boxed_slice();
                longer[..words.len()].copy_from_slice(words);
                *words = longer;
            }
            words[word(slot)] |= bit(slot);
        }
    }

    /// Removes a slot; returns whether anybody is left.
    pub fn remove(&mut self, slot: u32) -> bool {
        match self {
            Self::One(only) => *only != slot,
            Self::Many(words) => {
                if let Some(word) = words.get_mut(word(slot)) {
                    *word &= !bit(slot);
                }
                let (first, second) = {
                    let mut left = slots(words);
                    (left.next(), left.next())
                };
                if let (Some(only), None) = (first, second) {
                    *self = Self::One(only);
                }
                first.is_some()
            }
        }
    }

    /// Writes the set into `words`, as far as they reach.
    pub fn write(&self, words: &mut [u64]) {
        words.fill(0);
        match self {
            Self::One(slot) => {
                if let Some(word) = words.get_mut(word(*slot)) {
                    *word = bit(*slot);
                }
            }
            Self::Many(held) => {
                let shared = held.len().min(words.len());
                words[..shared].copy_from_slice(&held[..shared]);
            }
        }
    }
}

/// The slots in a bit set, ascending.
pub fn slots(words: &[u64]) -> impl Iterator<Item = u32> + '_ {
    (0u32..).zip(words).flat_map(|(index, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let low = rest.trailing_zeros();
                rest &= rest - 1;
                index * 64 + low
            })
        })
    })
}

/// Words that a set of `slots` slots needs.
pub fn words_for(slots: usize) -> usize {
    slots.div_ceil(64)
}

fn word(slot: u32) -> usize {
    slot as usize / 64
}

fn bit(slot: u32) -> u64 {
    1 << (slot % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(first in 0u32..300, steps in prop::collection::vec((any::<bool>(), 0u32..300), 0..80)) {
            let mut set = BTreeSet::from([first]);
            let mut holders = Holders::One(first);
            for (insert, slot) in steps {
                if insert {
                    set.insert(slot);
                    holders.insert(slot);
                } else {
                    let left = holders.remove(slot);
                    set.remove(&slot);
                    prop_assert_eq!(left, !set.is_empty());
                    if !left { break; }
                }
                let mut words = [0; 5];
                holders.write(&mut words);
                prop_assert_eq!(slots(&words).collect::<BTreeSet<_>>(), set.clone());
            }
        }
    }

    #[test]
    fn one_holder_needs_no_allocation() {
        assert_eq!(size_of::<Holders>(), 16);
    }
}
