//! Sets of slots as bits.

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

/// The word that a slot's bit is in.
pub fn word(slot: u32) -> usize {
    slot as usize / 64
}

/// That bit.
pub fn bit(slot: u32) -> u64 {
    1 << (slot % 64)
}
