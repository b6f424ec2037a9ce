//! What a pool teaches: means that stand in where a request does not say.

use std::time::Duration;

use super::average::Average;

/// One sample in fifty: a mean over minutes of traffic, not over the last burst.
const SLOW: f64 = 0.02;
/// Until the pool has taught better, a request is taken for this many uncached tokens.
const FIRST_UNCACHED_TOKENS: f64 = 500.0;
/// Until the pool has taught better, an answer is taken to last this long after its first byte.
const FIRST_DECODE_SECONDS: f64 = 5.0;
/// Bytes per token outside this range are no tokenizer's: an image's base64 is far above.
const PLAUSIBLE_BYTES_PER_TOKEN: std::ops::RangeInclusive<f64> = 0.5..=16.0;

/// Means over all requests of the pool.
#[derive(Debug)]
pub struct Estimates {
    bytes_per_token: Average,
    uncached_tokens: Average,
    prompt_tokens: Average,
    pick_cost: Average,
    decode_seconds: Average,
}

impl Estimates {
    /// Starts from the configured `bytes_per_token`.
    pub fn new(bytes_per_token: f64) -> Self {
        Self {
            bytes_per_token: Average::new(bytes_per_token, SLOW),
            uncached_tokens: Average::new(FIRST_UNCACHED_TOKENS, SLOW),
            prompt_tokens: Average::new(FIRST_UNCACHED_TOKENS, SLOW),
            pick_cost: Average::new(FIRST_UNCACHED_TOKENS, SLOW),
            decode_seconds: Average::new(FIRST_DECODE_SECONDS, SLOW),
        }
    }

    /// Bytes of prompt that make one token.
    pub fn bytes_per_token(&self) -> f64 {
        self.bytes_per_token.get()
    }

    /// Tokens that a request computes on average.
    pub fn uncached_tokens(&self) -> f64 {
        self.uncached_tokens.get()
    }

    /// Tokens of an average prompt: what an unread body of unknown length is taken for.
    pub fn prompt_tokens(&self) -> f64 {
        self.prompt_tokens.get()
    }

    /// The average cost of a winner, in tokens.
    pub fn pick_cost(&self) -> f64 {
        self.pick_cost.get()
    }

    /// How long answers last after their first byte.
    pub fn decode_time(&self) -> Duration {
        Duration::from_secs_f64(self.decode_seconds.get().clamp(0.0, 3600.0))
    }

    /// Learns from a pick whose prompt was read.
    pub fn picked(&self, prompt_tokens: f64, uncached_tokens: f64, cost: f64) {
        self.prompt_tokens.sample(prompt_tokens);
        self.uncached_tokens.sample(uncached_tokens);
        self.pick_cost.sample(cost);
    }

    /// Learns from an answer's `usage`: `prompt_bytes` were `prompt_tokens`.
    pub fn counted(&self, prompt_bytes: usize, prompt_tokens: u64) {
        let ratio = prompt_bytes as f64 / prompt_tokens as f64;
        if PLAUSIBLE_BYTES_PER_TOKEN.contains(&ratio) {
            self.bytes_per_token.sample(ratio);
        }
    }

    /// Learns how long an answer took after its first byte.
    pub fn decoded(&self, time: Duration) {
        self.decode_seconds.sample(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_per_token_follows_what_engines_count() {
        let estimates = Estimates::new(4.0);
        for _ in 0..500 {
            estimates.counted(30_000, 10_000);
        }
        assert!((estimates.bytes_per_token() - 3.0).abs() < 0.01);
    }

    #[test]
    fn an_absurd_count_teaches_nothing() {
        let estimates = Estimates::new(4.0);
        estimates.counted(100, 0);
        estimates.counted(1_000_000, 1);
        assert_eq!(estimates.bytes_per_token(), 4.0);
    }
}
