//! The constants of an engine of the iteration-level model, and named sets of them.
//!
//! They are assumed from data sheets and published serving numbers, not fitted to hardware.

use crate::replay::Seconds;

/// What an engine can hold and how fast it works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// Tokens that its KV cache holds; rounded down to whole blocks.
    pub cache_tokens: u64,
    /// Tokens in one KV block; at least 1.
    pub block_tokens: u64,
    /// Tokens that one step may compute, decodes and chunks of prefill together; at least 1.
    pub step_tokens: u64,
    /// Requests that run at the same time; at least 1.
    pub max_sequences: usize,
    /// Tokens computed in a second, as far as attention does not count; above 0.
    pub tokens_per_second: f64,
    /// The shortest step: the time to read the weights once. Not negative.
    pub base_step: Seconds,
    /// Time to read one token of context in a step. Not negative.
    pub kv_read: Seconds,
    /// Tokens of context at which attention costs as much as all else; above 0.
    pub attention_tokens: f64,
}

/// A named set of constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A model of 70 billion parameters on four 80 GB accelerators: the one of the reference's tables.
    Dense70b,
    /// A model of 8 billion parameters on one 80 GB accelerator.
    Dense8b,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dense70b, Self::Dense8b];

    /// The name by which people choose it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense70b => "70b-4gpu",
            Self::Dense8b => "8b-1gpu",
        }
    }

    /// Its constants.
    pub fn constants(self) -> Constants {
        let large = Constants {
            cache_tokens: 600_000,
            block_tokens: 16,
            step_tokens: 2_048,
            max_sequences: 256,
            tokens_per_second: 10_000.0,
            base_step: 0.018,
            kv_read: 34e-9,
            attention_tokens: 50_000.0,
        };
        match self {
            Self::Dense70b => large,
            // 16 GB of weights and 128 KiB of KV a token, at 70 % of 3.35 TB/s; 40 % of the peak in prefill.
            Self::Dense8b => Constants {
                cache_tokens: 400_000,
                tokens_per_second: 25_000.0,
                base_step: 0.007,
                kv_read: 56e-9,
                attention_tokens: 30_000.0,
                ..large
            },
        }
    }
}

impl Constants {
    /// KV blocks of the whole cache.
    pub fn blocks(&self) -> usize {
        usize::try_from(self.cache_tokens / self.block_tokens).unwrap_or(usize::MAX)
    }

    /// KV blocks that so many tokens take, the last one counted whole.
    pub fn blocks_of(&self, tokens: u64) -> usize {
        usize::try_from(tokens.div_ceil(self.block_tokens)).unwrap_or(usize::MAX)
    }

    /// Work of computing the tokens of a prompt from `from` to `to`, in tokens of an empty context.
    pub fn work(&self, from: u64, to: u64) -> f64 {
        let [from, to] = [from as f64, to as f64];
        (to - from) + (to * to - from * from) / (2.0 * self.attention_tokens)
    }

    /// Time of one step that does so much work beside reading `context` tokens.
    pub fn step(&self, work: f64, context: f64) -> Seconds {
        self.base_step.max(work / self.tokens_per_second) + context * self.kv_read
    }

    /// Whether a cache has room for a prompt and its answer.
    pub fn can_hold(&self, input_tokens: u64, output_tokens: u64) -> bool {
        self.blocks_of(input_tokens.saturating_add(output_tokens)) <= self.blocks()
    }

    /// Time to the first token of a prompt on an engine that is idle and empty: the sum over its steps, of which each
    /// does more work than the one before, up to the last.
    pub fn cold_prefill(&self, tokens: u64) -> Seconds {
        let full = tokens / self.step_tokens;
        let chunk = self.step_tokens as f64;
        // From this step on, work takes longer than reading the weights.
        let longer = (self.base_step * self.tokens_per_second / chunk - 1.0) * self.attention_tokens / chunk - 0.5;
        let short = (longer.ceil().max(0.0) as u64).min(full);
        let work = self.work(short * self.step_tokens, full * self.step_tokens) / self.tokens_per_second;
        let read = self.kv_read * chunk * (full as f64) * (full as f64 + 1.0) / 2.0;
        let whole = short as f64 * self.base_step + work + read;
        let rest = full * self.step_tokens;
        if rest < tokens { whole + self.step(self.work(rest, tokens), tokens as f64) } else { whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cold_prefill_is_the_sum_of_its_steps(
            tokens in 1u64..200_000, step_tokens in 1u64..5_000, base_step in 0.0f64..0.3, attention in 10.0f64..1e6,
        ) {
            let named = Profile::Dense70b.constants();
            let constants = Constants { step_tokens, base_step, attention_tokens: attention, ..named };
            let chunk = |from: u64| (from, (from + step_tokens).min(tokens));
            let steps = (0..tokens.div_ceil(step_tokens)).map(|step| chunk(step * step_tokens));
            let sum: f64 = steps.map(|(from, to)| constants.step(constants.work(from, to), to as f64)).sum();
            let found = constants.cold_prefill(tokens);
            prop_assert!((found - sum).abs() < 1e-9 * sum.max(1.0), "{found} {sum}");
        }
    }

    #[test]
    fn the_longest_prompt_that_can_be_written_is_neither_held_nor_computed_step_by_step() {
        let constants = Constants { step_tokens: 1, ..Profile::Dense70b.constants() };
        assert!(constants.cold_prefill(u64::MAX) > 1e15);
        assert!(!constants.can_hold(u64::MAX, u64::MAX) && !constants.can_hold(1, u64::MAX));
    }

    #[test]
    fn a_long_prompt_costs_more_a_token_than_a_short_one() {
        let constants = Profile::Dense70b.constants();
        assert_eq!(constants.work(0, 1_000), 1_010.0);
        assert_eq!(constants.work(49_000, 50_000), 1_990.0);
        assert_eq!(constants.work(0, 50_000), 75_000.0);
    }

    #[test]
    fn chunks_of_a_prompt_do_the_work_of_the_whole() {
        let constants = Profile::Dense70b.constants();
        let whole = constants.work(0, 10_000) / constants.tokens_per_second;
        let read = (2_048.0 + 4_096.0 + 6_144.0 + 8_192.0 + 10_000.0) * constants.kv_read;
        assert!((constants.cold_prefill(10_000) - whole - read).abs() < 1e-9);
    }

    #[test]
    fn no_step_is_shorter_than_the_base() {
        let constants = Profile::Dense70b.constants();
        assert!((constants.cold_prefill(10) - 0.018).abs() < 1e-6);
    }
}
