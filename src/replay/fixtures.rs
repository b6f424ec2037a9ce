//! Small traces for tests, conversations that share a beginning, in the format of Mooncake; and engines to run them.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::model::Now;

use super::engine::{Constants, Profile};
use super::run::Stage;
use super::trace::{MOONCAKE_BLOCK, Survey, Trace};

/// Engines of 70b-4gpu with a third of its cache.
pub fn constants() -> Constants {
    Constants { cache_tokens: 200_000, block_tokens: MOONCAKE_BLOCK, ..Profile::Dense70b.constants() }
}

/// Four of these, and one picker.
pub fn stage<'a>(trace: &'a Trace, survey: &'a Survey) -> Stage<'a> {
    Stage {
        trace,
        copies: 1,
        survey,
        constants: constants(),
        replicas: 4,
        pickers: 1,
        scrape: None,
        sessions_by_prefix: false,
        warm_up: 0,
        changes: &[],
        seed: 7,
        base: Now::read(),
    }
}

/// The numbers of a trace.
#[derive(Clone, Copy)]
pub struct Conversations {
    /// How many there are.
    pub count: u64,
    /// Prompts of each.
    pub turns: u64,
    /// Blocks that a turn adds to the prompt.
    pub turn_blocks: u64,
    /// Milliseconds within which all begin.
    pub within: u64,
}

impl Conversations {
    /// The trace as text. Every prompt begins with the same two blocks.
    pub fn text(self, seed: u64) -> String {
        let Self { count, turns, turn_blocks, within } = self;
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let mut lines = Vec::new();
        for conversation in 0..count {
            let mut at = random.random_range(0..within);
            for turn in 1..=turns {
                lines.push((at, conversation, turn));
                at += random.random_range(5_000..15_000);
            }
        }
        lines.sort_unstable();
        lines.into_iter().fold(String::new(), |mut text, (at, conversation, turn)| {
            let own = (0..turn * turn_blocks).map(|block| 10 + conversation * 1_000 + block);
            let ids: Vec<u64> = [0, 1].into_iter().chain(own).collect();
            let input = ids.len() as u64 * 512 - 100;
            let _ = writeln!(
                text,
                "{{\"timestamp\": {at}, \"input_length\": {input}, \"output_length\": 100, \"hash_ids\": {ids:?}}}"
            );
            text
        })
    }
}
