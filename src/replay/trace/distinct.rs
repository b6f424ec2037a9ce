//! About how many different values there are, in little memory however many come.

/// Bits of memory; exact far below this many values, within a hundredth up to some millions.
const BITS: usize = 1 << 20;

/// Counts different hashes: by how many bits stay empty.
pub struct Distinct {
    words: Vec<u64>,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { words: vec![0; BITS / 64] }
    }
}

impl Distinct {
    /// One more value, which may have come before.
    pub fn add(&mut self, hash: u64) {
        let place = hash as usize % BITS;
        self.words[place / 64] |= 1 << (place % 64);
    }

    /// About how many different ones came.
    pub fn count(&self) -> u64 {
        let set: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        let bits = BITS as f64;
        // All bits set tell nothing but that it is many.
        let empty = (bits - f64::from(set)).max(1.0);
        (bits * (bits / empty).ln()).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn few_are_counted_exactly_and_many_about() {
        for (values, allowed) in [(0_u64, 0), (1, 0), (300, 0), (20_000, 40), (2_000_000, 20_000)] {
            let mut distinct = Distinct::default();
            for value in (0..values).chain(0..values.min(1_000)) {
                distinct.add(xxh3_64(&value.to_le_bytes()));
            }
            assert!(distinct.count().abs_diff(values) <= allowed, "{values}: {}", distinct.count());
        }
    }
}
