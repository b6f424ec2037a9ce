//! Text of exact length, made of meaningless words; what a simulated engine or its client says.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// An endless text, the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    seed: u64,
    bytes_per_token: usize,
}

impl Words {
    /// The text that a seed stands for; an engine takes the rendered prompt, like greedy decoding.
    pub fn seeded(seed: &[u8], bytes_per_token: usize) -> Self {
        Self { seed: xxh3_64_with_seed(seed, 0), bytes_per_token }
    }

    /// Its token at a place, counted from 0: exactly one token's bytes, so that an answer that comes
    /// back as history counts as many tokens as it was.
    pub fn token(&self, index: u64) -> String {
        let mut noise = xxh3_64_with_seed(&index.to_le_bytes(), self.seed);
        let letters = (1..self.bytes_per_token.max(2)).map(|_| {
            let letter = b'a' + (noise % 26) as u8;
            noise = noise.rotate_right(7) / 3;
            char::from(letter)
        });
        let space = (self.bytes_per_token > 1).then_some(' ');
        letters.chain(space).collect()
    }

    /// Its first `tokens` tokens.
    pub fn text(&self, tokens: u64) -> String {
        (0..tokens).map(|index| self.token(index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_has_exactly_one_tokens_bytes() {
        for bytes_per_token in 1..9 {
            let words = Words::seeded(b"why?", bytes_per_token);
            assert_eq!(words.text(50).len(), 50 * bytes_per_token);
        }
    }

    #[test]
    fn the_same_seed_says_the_same() {
        assert_eq!(Words::seeded(b"why?", 4).text(9), Words::seeded(b"why?", 4).text(9));
        assert_ne!(Words::seeded(b"why?", 4).text(9), Words::seeded(b"how?", 4).text(9));
    }
}
