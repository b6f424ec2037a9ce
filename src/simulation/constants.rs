//! The constants of a simulated engine.

use std::time::Duration;

/// What an engine can hold and how fast it works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// Tokens that its KV cache holds; rounded down to whole blocks.
    pub cache_tokens: u64,
    /// Tokens in one KV block; at least 1.
    pub block_tokens: u64,
    /// Uncached prompt tokens computed in a second, one request at a time; above 0.
    pub prefill_tokens_per_second: f64,
    /// Time between two tokens of one answer.
    pub decode_step: Duration,
    /// Bytes of prompt that count as one token; at least 1.
    pub bytes_per_token: usize,
}

impl Constants {
    /// KV blocks of the whole cache.
    pub fn blocks(&self) -> usize {
        usize::try_from(self.cache_tokens / self.block_tokens).unwrap_or(usize::MAX)
    }

    /// Bytes of prompt in one block.
    pub fn block_bytes(&self) -> usize {
        usize::try_from(self.block_tokens).unwrap_or(usize::MAX).saturating_mul(self.bytes_per_token)
    }

    /// Tokens of a text of `bytes` bytes; a part of a token counts whole.
    pub fn tokens(&self, bytes: usize) -> u64 {
        bytes.div_ceil(self.bytes_per_token) as u64
    }

    /// Time to compute so many tokens of prompt.
    pub fn prefill(&self, tokens: u64) -> Duration {
        Duration::from_secs_f64(tokens as f64 / self.prefill_tokens_per_second)
    }

    /// Time from the first to the last token of an answer.
    pub fn decode(&self, tokens: u64) -> Duration {
        self.decode_step.saturating_mul(u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX))
    }
}

impl Default for Constants {
    /// The engine of the demo: small enough that a cache fills within a minute.
    fn default() -> Self {
        Self {
            cache_tokens: 48_000,
            block_tokens: 16,
            prefill_tokens_per_second: 10_000.0,
            decode_step: Duration::from_millis(20),
            bytes_per_token: 4,
        }
    }
}
