//! Who holds one block, in 32 bits while they are few.
//!
//! ```text
//!   kind (2 bits)  One: a slot | Two: 15 bits each | Three: 10 bits each | Many: where a set lies in `Sets`
//! ```

use super::sets::{Place, Sets};
use super::slots::{bit, word};

/// Slots beyond this hold nothing: no pool has a million endpoints.
pub const MAX_SLOT: u32 = (1 << 20) - 1;

const KIND_SHIFT: u32 = 30;
const PAYLOAD: u32 = (1 << KIND_SHIFT) - 1;
const MANY: u32 = 3;

/// At least one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holders(pub u32);

/// What was found by a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The slot was no holder.
    Nothing,
    /// Others are left.
    OneOfSeveral,
    /// Nobody is left.
    Last,
}

/// Up to three slots.
#[derive(Clone, Copy)]
struct Few {
    slots: [u32; 3],
    len: usize,
}

impl Holders {
    /// Just this slot.
    pub fn one(slot: u32) -> Self {
        Self(slot)
    }

    /// Adds a slot; returns whether it was none.
    pub fn insert(&mut self, slot: u32, sets: &mut Sets) -> bool {
        if let Some(place) = self.place() {
            let Some(place) = sets.insert(place, slot) else { return false };
            *self = Self::many(place);
            return true;
        }
        let few = self.few();
        if few.as_slice().contains(&slot) {
            return false;
        }
        *self = few.and(slot).and_then(Self::packed).unwrap_or_else(|| {
            let [first, second, third] = few.slots;
            Self::many(sets.add(&[first, second, third, slot][3 - few.len..]))
        });
        true
    }

    /// Removes a slot. After the last one this is not to be used any more.
    pub fn remove(&mut self, slot: u32, sets: &mut Sets) -> Removed {
        let Some(place) = self.place() else {
            let few = self.few();
            if !few.as_slice().contains(&slot) {
                return Removed::Nothing;
            }
            let left = few.without(slot);
            let Some(packed) = Self::packed(left) else { return Removed::Last };
            *self = packed;
            return Removed::OneOfSeveral;
        };
        if !sets.remove(place, slot) {
            return Removed::Nothing;
        }
        // Three stay a set: one that comes and goes with a slot would be made again and again.
        let mut left = sets.slots(place);
        let ([first, second], None) = ([left.next(), left.next()], left.next()) else { return Removed::OneOfSeveral };
        drop(left);
        if first.is_none() {
            sets.free(place);
            return Removed::Last;
        }
        let few = first.into_iter().chain(second).try_fold(Few::EMPTY, Few::and);
        if let Some(packed) = few.and_then(Self::packed) {
            *self = packed;
            sets.free(place);
        }
        Removed::OneOfSeveral
    }

    /// Writes the slots into `words`, as far as they reach.
    #[inline]
    pub fn write(self, sets: &Sets, words: &mut [u64]) {
        if let Some(place) = self.place() {
            sets.write(place, words);
            return;
        }
        words.fill(0);
        for &slot in self.few().as_slice() {
            if let Some(word) = words.get_mut(word(slot)) {
                *word |= bit(slot);
            }
        }
    }

    /// Whether `slot` is one of them.
    pub fn contains(self, slot: u32, sets: &Sets) -> bool {
        match self.place() {
            Some(place) => sets.contains(place, slot),
            None => self.few().as_slice().contains(&slot),
        }
    }

    /// Where the set lies, if it is one.
    pub fn place(self) -> Option<Place> {
        (self.0 >> KIND_SHIFT == MANY).then_some(Place(self.0 & PAYLOAD))
    }

    /// A set that lies there.
    pub fn many(place: Place) -> Self {
        Self(MANY << KIND_SHIFT | place.0)
    }

    fn few(self) -> Few {
        let payload = self.0 & PAYLOAD;
        // The last of them is always in front, so that what is left out is in front of it.
        match self.0 >> KIND_SHIFT {
            0 => Few { slots: [0, 0, payload], len: 1 },
            1 => Few { slots: [0, payload >> 15, payload & 0x7fff], len: 2 },
            _ => Few { slots: [payload >> 20, payload >> 10 & 0x3ff, payload & 0x3ff], len: 3 },
        }
    }

    /// `None` where it does not fit, or is empty.
    fn packed(few: Few) -> Option<Self> {
        let fits = |bits: u32| few.as_slice().iter().all(|slot| slot >> bits == 0);
        match *few.as_slice() {
            [one] => fits(KIND_SHIFT).then_some(Self(one)),
            [one, two] => fits(15).then_some(Self(1 << KIND_SHIFT | one << 15 | two)),
            [one, two, three] => fits(10).then_some(Self(2 << KIND_SHIFT | one << 20 | two << 10 | three)),
            _ => None,
        }
    }
}

// === impl Few ===

impl Few {
    const EMPTY: Self = Self { slots: [0; 3], len: 0 };

    /// The slots stand at the end.
    fn as_slice(&self) -> &[u32] {
        &self.slots[3 - self.len..]
    }

    /// `None` where there is no room.
    fn and(self, slot: u32) -> Option<Self> {
        let [_, second, third] = self.slots;
        (self.len < 3).then_some(Self { slots: [second, third, slot], len: self.len + 1 })
    }

    fn without(self, slot: u32) -> Self {
        self.as_slice()
            .iter()
            .filter(|kept| **kept != slot)
            .fold(Self::EMPTY, |few, kept| few.and(*kept).unwrap_or(few))
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::slots;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Slots at which representations end.
    fn slot() -> impl Strategy<Value = u32> {
        prop_oneof![0u32..12, 0u32..300, 1_000u32..1_050, 32_760u32..32_780, 65_530u32..65_540]
    }

    proptest! {
        #[test]
        fn behave_as_a_set(first in slot(), steps in prop::collection::vec((0u8..3, slot()), 0..120)) {
            let mut sets = Sets::default();
            let mut set = BTreeSet::from([first]);
            let mut holders = Holders::one(first);
            for (action, slot) in steps {
                if action > 0 {
                    prop_assert_eq!(holders.insert(slot, &mut sets), set.insert(slot));
                } else {
                    let expected = match (set.remove(&slot), set.is_empty()) {
                        (false, _) => Removed::Nothing,
                        (true, false) => Removed::OneOfSeveral,
                        (true, true) => Removed::Last,
                    };
                    prop_assert_eq!(holders.remove(slot, &mut sets), expected);
                    if set.is_empty() {
                        break;
                    }
                }
                if sets.is_wasteful() {
                    let mut value = holders;
                    sets.compact(std::iter::once(&mut value.0));
                    holders = value;
                }
                prop_assert_eq!(holders.contains(slot, &sets), set.contains(&slot));
                let mut words = [0; 1_100];
                holders.write(&sets, &mut words);
                prop_assert_eq!(slots(&words).collect::<BTreeSet<_>>(), set.clone());
                let mut words = [u64::MAX; 1];
                holders.write(&sets, &mut words);
                prop_assert_eq!(slots(&words).collect::<BTreeSet<_>>(), set.range(..64).copied().collect());
            }
        }
    }
}
