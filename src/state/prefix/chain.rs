//! From a prompt's bytes to chained block hashes.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::model::Prompt;

/// Separates what is hashed here from any other use of XXH3; public, fixed, the same on all replicas.
const SEED: u64 = 0x686f_6d69_6e67_0001;
/// Hashing stops after so many blocks, so that a pick's work is bounded: 8 MiB at 512 bytes a block.
const MAX_BLOCKS: usize = 16_384;

/// Hashes of a prompt's full blocks, each over its own bytes and all before them.
pub type Chain = Vec<u64>;

/// Hashes the full blocks of `prompt` into `chain`, seeded with its model.
///
/// A part that ends inside a block goes on in the next part; what does not fill a block is not hashed,
/// as engines reuse only full blocks.
pub fn hash_prompt(prompt: &Prompt<'_>, block_bytes: usize, chain: &mut Chain) {
    chain.clear();
    let mut parent = xxh3_64_with_seed(prompt.model.as_bytes(), SEED);
    let mut begun = Xxh3::with_seed(parent);
    let mut begun_bytes = 0;
    for part in prompt.parts {
        let mut rest = part;
        if begun_bytes > 0 {
            let (head, tail) = rest.split_at(rest.len().min(block_bytes - begun_bytes));
            begun.update(head);
            begun_bytes += head.len();
            rest = tail;
            if begun_bytes < block_bytes {
                continue;
            }
            parent = begun.digest();
            chain.push(parent);
        }
        let mut blocks = rest.chunks_exact(block_bytes);
        for block in &mut blocks {
            if chain.len() >= MAX_BLOCKS {
                return;
            }
            parent = xxh3_64_with_seed(block, parent);
            chain.push(parent);
        }
        begun = Xxh3::with_seed(parent);
        begun.update(blocks.remainder());
        begun_bytes = blocks.remainder().len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(model: &str, parts: [&[u8]; 2], block_bytes: usize) -> Chain {
        let mut chain = Chain::new();
        hash_prompt(&Prompt { model, parts, streams: false }, block_bytes, &mut chain);
        chain
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
    fn an_endless_prompt_costs_bounded_work() {
        let bytes = vec![1u8; 64 * (MAX_BLOCKS + 100)];
        assert_eq!(chain("m", [&bytes, &[]], 64).len(), MAX_BLOCKS);
    }
}
