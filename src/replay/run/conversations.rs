//! Which conversation a prompt goes on, where nobody says.
//!
//! A prompt goes on an earlier one if it begins with all full blocks of that. A system prompt is no conversation,
//! however many prompts begin with it: what counts is where earlier prompts ended. The room for this does not grow with
//! the trace.

use std::collections::{BTreeMap, HashMap};

use crate::simulation::BlockHash;

/// So many conversations are remembered; those that were quiet for longest are forgotten.
const MOST: usize = 65_536;

/// The ends of conversations.
#[derive(Debug, Default)]
pub struct Conversations {
    /// Blocks that all prompts begin with: a prompt of no more than these is nobody's.
    shared: usize,
    /// By the last full block of the newest prompt of each.
    ends: HashMap<BlockHash, End, ahash::RandomState>,
    /// The same, the oldest first.
    ages: BTreeMap<u64, BlockHash>,
    /// Prompts seen so far.
    seen: u64,
}

#[derive(Clone, Copy, Debug)]
struct End {
    conversation: u64,
    age: u64,
}

impl Conversations {
    /// None yet. All prompts begin with the same `shared` blocks.
    pub fn new(shared: usize) -> Self {
        Self { shared, ..Self::default() }
    }

    /// The number of the conversation that a prompt of these blocks goes on, or of the new one that it begins. From now
    /// on it ends where this prompt does.
    pub fn of(&mut self, chain: &[BlockHash]) -> u64 {
        self.seen += 1;
        let age = self.seen;
        let own = chain.get(self.shared..).unwrap_or_default();
        let earlier = own.iter().rev().find_map(|block| self.ends.remove(block));
        if let Some(End { age, .. }) = earlier {
            self.ages.remove(&age);
        }
        let conversation = earlier.map_or(age, |end| end.conversation);
        if let Some(last) = own.last() {
            self.ends.insert(*last, End { conversation, age });
            self.ages.insert(age, *last);
        }
        while self.ends.len() > MOST {
            let Some((_, oldest)) = self.ages.pop_first() else { break };
            self.ends.remove(&oldest);
        }
        conversation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks are told apart by all that is before them.
    fn chain(blocks: &[u64]) -> Vec<BlockHash> {
        let mut before = 0u64;
        let next = |block: &u64| {
            before = before.wrapping_mul(1_000_003).wrapping_add(*block + 1);
            BlockHash(before)
        };
        blocks.iter().map(next).collect()
    }

    #[test]
    fn a_prompt_goes_on_the_one_whose_blocks_it_begins_with() {
        for (claim, shared, prompts, conversations) in [
            ("turns of two", 1, vec![&[0, 1][..], &[0, 2], &[0, 1, 3], &[0, 2, 4], &[0, 1, 3, 5]], vec![0, 1, 0, 1, 0]),
            (
                "families of system prompts",
                0,
                vec![&[8, 1], &[8, 2], &[9, 1], &[8, 2, 3], &[8, 3]],
                vec![0, 1, 2, 1, 4],
            ),
            ("one odd prompt among them", 0, vec![&[0, 1], &[7], &[0, 2], &[0, 1, 3]], vec![0, 1, 2, 0]),
            ("a prompt asked again", 1, vec![&[0, 1, 2], &[0, 1, 2], &[0, 1, 2, 3]], vec![0, 0, 0]),
            ("one turn taken back", 1, vec![&[0, 1], &[0, 1, 2], &[0, 1, 3]], vec![0, 0, 2]),
            ("nothing but what all have", 1, vec![&[0], &[0], &[], &[0, 1]], vec![0, 1, 2, 3]),
        ] {
            let mut known = Conversations::new(shared);
            let found: Vec<u64> = prompts.iter().map(|prompt| known.of(&chain(prompt)) - 1).collect();
            assert_eq!(found, conversations, "{claim}");
        }
    }

    #[test]
    fn no_more_is_remembered_of_a_long_trace() {
        let mut known = Conversations::new(0);
        let end = MOST as u64 + 10;
        for prompt in 0..end {
            known.of(&chain(&[prompt]));
        }
        assert_eq!((known.ends.len(), known.ages.len()), (MOST, MOST));
        assert_eq!(known.of(&chain(&[end - 1, 1])), end, "the newest is known");
        assert_eq!(known.of(&chain(&[0, 1])), end + 2, "the oldest is not");
    }
}
