//! From a prompt's bytes to chained block hashes.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::model::{Part, Prompt};

/// Separates what is hashed here from any other use of XXH3; public, fixed, the same on all replicas.
const SEED: u64 = 0x686f_6d69_6e67_0001;
/// Hashing stops after so many blocks, so that a pick's work is bounded: 8 MiB at 512 bytes a block.
pub const MAX_BLOCKS: usize = 16_384;

/// What is hashed, and in which order: to be raised with whatever here, or in what is read of a prompt, makes other hashes.
const RULES: u64 = 1;

/// Names how [`hash_prompt`] cuts: chains that were made under another name have no block in common, as a rule. Not 0.
pub fn cut_key(block_bytes: usize, media_bytes: usize) -> u32 {
    let numbers = [RULES, block_bytes as u64, media_bytes as u64].map(u64::to_le_bytes);
    (xxh3_64_with_seed(numbers.as_flattened(), SEED) as u32).max(1)
}

/// Hashes of a prompt's full blocks, each over its own bytes and all before them.
pub type Chain = Vec<u64>;

/// Cuts bytes into blocks, and chains their hashes.
struct Blocks<'a> {
    chain: &'a mut Chain,
    block_bytes: usize,
    parent: u64,
    /// The block that has begun, and how many bytes of it are there.
    begun: Xxh3,
    begun_bytes: usize,
}

/// Hashes the full blocks of `prompt` into `chain`, seeded with its model and salt.
///
/// A part that ends inside a block goes on in the next part; what does not fill a block is not hashed,
/// as engines reuse only full blocks. A medium is taken for `media_bytes` bytes that repeat its hash.
pub fn hash_prompt(prompt: &Prompt<'_>, block_bytes: usize, media_bytes: usize, chain: &mut Chain) {
    chain.clear();
    let mut seed = xxh3_64_with_seed(prompt.model.as_bytes(), SEED);
    if !prompt.salt.is_empty() {
        seed = xxh3_64_with_seed(prompt.salt.as_bytes(), seed);
    }
    let mut blocks = Blocks { chain, block_bytes, parent: seed, begun: Xxh3::with_seed(seed), begun_bytes: 0 };
    for part in prompt.parts {
        match *part {
            Part::Bytes(bytes) => blocks.push(bytes),
            Part::Media(hash) => blocks.push_repeated(hash, media_bytes),
        }
    }
}

impl Blocks<'_> {
    fn push(&mut self, mut rest: &[u8]) {
        if self.begun_bytes > 0 {
            let (head, tail) = rest.split_at(rest.len().min(self.block_bytes - self.begun_bytes));
            self.begun.update(head);
            self.begun_bytes += head.len();
            rest = tail;
            if self.begun_bytes < self.block_bytes {
                return;
            }
            self.end_block(self.begun.digest());
        }
        let mut whole = rest.chunks_exact(self.block_bytes);
        for block in &mut whole {
            if self.chain.len() >= MAX_BLOCKS {
                break;
            }
            self.end_block(xxh3_64_with_seed(block, self.parent));
        }
        self.begun = Xxh3::with_seed(self.parent);
        self.begun.update(whole.remainder());
        self.begun_bytes = whole.remainder().len();
    }

    fn push_repeated(&mut self, hash: u64, bytes: usize) {
        let repeated = [hash.to_le_bytes(); 64];
        let repeated = repeated.as_flattened();
        for left in (0..bytes).step_by(repeated.len()).map(|done| bytes - done) {
            if self.chain.len() >= MAX_BLOCKS {
                return;
            }
            self.push(&repeated[..left.min(repeated.len())]);
        }
    }

    fn end_block(&mut self, hash: u64) {
        if self.chain.len() < MAX_BLOCKS {
            self.chain.push(hash);
        }
        self.parent = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unit;
    use proptest::prelude::*;

    const MEDIA_BYTES: usize = 1000;

    fn prompt<'a>(model: &'a str, parts: &'a [Part<'a>]) -> Prompt<'a> {
        Prompt { model, salt: "", parts, unit: Unit::Text, streams: false }
    }

    fn hashed(prompt: &Prompt<'_>, block_bytes: usize) -> Chain {
        let mut chain = Chain::new();
        hash_prompt(prompt, block_bytes, MEDIA_BYTES, &mut chain);
        chain
    }

    fn chain(model: &str, parts: [&[u8]; 2], block_bytes: usize) -> Chain {
        hashed(&prompt(model, &parts.map(Part::Bytes)), block_bytes)
    }

    proptest! {
        #[test]
        fn where_a_part_ends_does_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 0usize..2000, block in 16usize..200) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(chain("m", [&bytes[..cut], &bytes[cut..]], block), chain("m", [&bytes, &[]], block));
        }

        #[test]
        fn only_full_blocks_count(bytes in prop::collection::vec(any::<u8>(), 0..2000), block in 16usize..200) {
            prop_assert_eq!(chain("m", [&bytes, &[]], block).len(), bytes.len() / block);
        }

        #[test]
        fn a_shared_prefix_shares_blocks_and_a_difference_ends_it(
            shared in prop::collection::vec(any::<u8>(), 0..1500),
            a in prop::collection::vec(any::<u8>(), 1..500),
        ) {
            let mut b = a.clone();
            b[0] ^= 1;
            let first = chain("m", [&shared, &a], 64);
            let second = chain("m", [&shared, &b], 64);
            let common = shared.len() / 64;
            prop_assert_eq!(&first[..common], &second[..common]);
            prop_assert!(first[common..].iter().zip(&second[common..]).all(|(a, b)| a != b));
        }
    }

    #[test]
    fn another_model_shares_nothing() {
        let bytes = [7u8; 1024];
        assert_ne!(chain("a", [&bytes, &[]], 512), chain("b", [&bytes, &[]], 512));
    }

    #[test]
    fn another_salt_shares_nothing() {
        let bytes = [7u8; 1024];
        let parts = [Part::Bytes(&bytes)];
        let plain = prompt("m", &parts);
        let chains = ["", "a", "b"].map(|salt| hashed(&Prompt { salt, ..plain }, 512)[0]);
        assert!(chains[0] != chains[1] && chains[1] != chains[2] && chains[0] != chains[2]);
    }

    #[test]
    fn a_medium_is_itself_and_takes_its_bytes() {
        let text = [7u8; 600];
        let with = |medium: u64, rest: &[u8]| {
            hashed(&prompt("m", &[Part::Bytes(&text), Part::Media(medium), Part::Bytes(rest)]), 100)
        };
        let (first, longer, other) = (with(1, b""), with(1, &text), with(2, &text));
        assert_eq!(first.len(), (text.len() + MEDIA_BYTES) / 100);
        assert_eq!(longer[..16], first[..]);
        assert_eq!(other[..6], first[..6], "what stands before it is shared");
        assert!(other[6..].iter().zip(&longer[6..]).all(|(a, b)| a != b));
    }

    #[test]
    fn an_endless_prompt_costs_bounded_work() {
        let bytes = vec![1u8; 64 * (MAX_BLOCKS + 100)];
        assert_eq!(chain("m", [&bytes, &[]], 64).len(), MAX_BLOCKS);
        let media = [Part::Media(7); 1000];
        let mut chain = Chain::new();
        hash_prompt(&prompt("m", &media), 64, usize::MAX, &mut chain);
        assert_eq!(chain.len(), MAX_BLOCKS);
    }
}
