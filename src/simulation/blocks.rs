//! A text cut into KV blocks.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Stands for one block and for all blocks before it: equal hashes mean equal text from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockHash(pub u64);

/// The hashes of all full blocks of a text; a last block that is not full has none.
pub fn chain(text: &[u8], block_bytes: usize) -> Vec<BlockHash> {
    let mut parent = 0;
    text.chunks_exact(block_bytes)
        .map(|block| {
            parent = xxh3_64_with_seed(block, parent);
            BlockHash(parent)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_stands_for_everything_before_it() {
        let same_tail = (chain(b"aaaabbbb", 4), chain(b"ccccbbbb", 4));
        assert_ne!(same_tail.0[1], same_tail.1[1]);
    }

    #[test]
    fn only_full_blocks_have_a_hash() {
        assert_eq!(chain(b"aaaabbb", 4), chain(b"aaaa", 4));
        assert!(chain(b"aaa", 4).is_empty());
    }

    #[test]
    fn a_longer_text_keeps_the_hashes_of_its_beginning() {
        assert_eq!(chain(b"aaaabbbbcccc", 4)[..2], chain(b"aaaabbbb", 4)[..]);
    }
}
