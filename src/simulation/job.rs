//! One prompt with its answer, as the engine model sees it: numbers and block hashes, no text.

use super::blocks::{self, BlockHash};
use super::constants::Constants;
use super::words::Words;

/// What an engine has to do for one prompt.
#[derive(Clone, Debug)]
pub struct Job {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer; at least 1.
    pub output_tokens: u64,
    /// Full blocks of the prompt and, after them, of the answer.
    pub(super) chain: Vec<BlockHash>,
    /// How many blocks of the chain the prompt fills.
    pub(super) prompt_blocks: usize,
    /// How many blocks of the chain may be hit: the last token is always computed, for its logits.
    pub(super) reusable_blocks: usize,
    /// Blocks that prompt and answer need, the last one counted whole.
    pub(super) total_blocks: usize,
}

/// A job that does not fit into the cache even when the engine does nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "This model's maximum context length is {limit} tokens. However, you requested {output} output tokens \
     and your prompt contains {prompt} input tokens, for a total of {} tokens.", prompt + output
)]
pub struct TooLong {
    /// Tokens of the whole cache.
    pub limit: u64,
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens of the answer that was asked for.
    pub output: u64,
}

impl Job {
    /// The job of answering a rendered prompt with so many tokens.
    ///
    /// # Errors
    /// When prompt and answer together exceed the engine's cache.
    pub fn new(mut prompt: Vec<u8>, output_tokens: u64, constants: &Constants) -> Result<Self, TooLong> {
        let prompt_tokens = constants.tokens(prompt.len());
        let output_tokens = output_tokens.max(1);
        let total_tokens = prompt_tokens.saturating_add(output_tokens);
        let total_blocks = usize::try_from(total_tokens.div_ceil(constants.block_tokens)).unwrap_or(usize::MAX);
        if total_blocks > constants.blocks() {
            return Err(TooLong { limit: constants.cache_tokens, prompt: prompt_tokens, output: output_tokens });
        }
        let prompt_blocks = prompt.len() / constants.block_bytes();
        let answer = Words::seeded(&prompt, constants.bytes_per_token).text(output_tokens);
        prompt.extend_from_slice(answer.as_bytes());
        let reusable_tokens = prompt_tokens.saturating_sub(1) / constants.block_tokens;
        Ok(Self {
            prompt_tokens,
            output_tokens,
            chain: blocks::chain(&prompt, constants.block_bytes()),
            prompt_blocks,
            reusable_blocks: usize::try_from(reusable_tokens).unwrap_or(usize::MAX).min(prompt_blocks),
            total_blocks,
        })
    }
}
