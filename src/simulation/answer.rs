//! What a simulated engine says: words of fixed length that depend on the prompt alone.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// An answer that is known before it is given, like greedy decoding.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    seed: u64,
    bytes_per_token: usize,
}

impl Answer {
    /// The answer to a rendered prompt.
    pub fn to(prompt: &[u8], bytes_per_token: usize) -> Self {
        Self { seed: xxh3_64_with_seed(prompt, 0), bytes_per_token }
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
            let answer = Answer::to(b"why?", bytes_per_token);
            assert_eq!(answer.text(50).len(), 50 * bytes_per_token);
        }
    }

    #[test]
    fn the_same_prompt_gets_the_same_answer() {
        assert_eq!(Answer::to(b"why?", 4).text(9), Answer::to(b"why?", 4).text(9));
        assert_ne!(Answer::to(b"why?", 4).text(9), Answer::to(b"how?", 4).text(9));
    }
}
