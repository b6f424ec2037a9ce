//! The flags that say what the engines are.

use std::time::Duration;

use crate::replay::engine::{Constants, Profile};

/// The simulated engines: a profile, and what is to be different from it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Engines")]
pub struct Engines {
    /// The engines' constants: `70b-4gpu` is a model of 70 billion parameters on four GPUs of 80 GB, `8b-1gpu` one of 8
    /// billion on one, in 16 bits and as an H100 has them. Assumed from data sheets and not fitted to hardware. The
    /// defaults below are those of the two, in this order.
    #[arg(long, default_value = "70b-4gpu", value_name = "NAME", value_parser = profile)]
    profile: Profile,

    /// Tokens that one engine's KV cache holds [default: 600000, 400000].
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    cache_tokens: Option<u64>,

    /// Tokens in one KV block [default: 16, 16]; a Mooncake trace has 512.
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    block_tokens: Option<u64>,

    /// Tokens that one step may compute [default: 2048, 2048].
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    step_tokens: Option<u64>,

    /// Requests that run at the same time [default: 256, 256].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_sequences: Option<u32>,

    /// Tokens computed in a second, where no context has to be looked at [default: 10000, 25000].
    #[arg(long, value_name = "TOKENS", value_parser = above_zero)]
    tokens_per_second: Option<f64>,

    /// The shortest step: the time to read the weights [default: 18ms, 7ms].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    base_step: Option<Duration>,

    /// Nanoseconds to read one token of context in a step [default: 34, 56].
    #[arg(long, value_name = "NANOSECONDS", value_parser = not_negative)]
    kv_read: Option<f64>,

    /// Tokens of context at which attention costs as much as all else [default: 50000, 30000].
    #[arg(long, value_name = "TOKENS", value_parser = above_zero)]
    attention_tokens: Option<f64>,
}

impl Engines {
    /// Tokens in one KV block, where the trace leaves it open.
    pub fn block_tokens(&self) -> u64 {
        self.block_tokens.unwrap_or(self.profile.constants().block_tokens)
    }

    /// The name of the constants.
    pub fn profile(&self) -> &'static str {
        self.profile.name()
    }

    /// What was said of the blocks, if anything was.
    pub fn block_tokens_asked(&self) -> Option<u64> {
        self.block_tokens
    }

    /// All constants, with the block that the trace has.
    pub fn constants(&self, block_tokens: u64) -> Constants {
        let Self { profile, cache_tokens, block_tokens: _, step_tokens, max_sequences, .. } = self;
        let Self { tokens_per_second, base_step, kv_read, attention_tokens, .. } = self;
        let named = profile.constants();
        Constants {
            cache_tokens: cache_tokens.unwrap_or(named.cache_tokens),
            block_tokens,
            step_tokens: step_tokens.unwrap_or(named.step_tokens),
            max_sequences: max_sequences.map_or(named.max_sequences, |count| count as usize),
            tokens_per_second: tokens_per_second.unwrap_or(named.tokens_per_second),
            base_step: base_step.map_or(named.base_step, |step| step.as_secs_f64()),
            kv_read: kv_read.map_or(named.kv_read, |nanoseconds| nanoseconds * 1e-9),
            attention_tokens: attention_tokens.unwrap_or(named.attention_tokens),
        }
    }
}

fn profile(name: &str) -> Result<Profile, String> {
    let names = || Profile::ALL.map(Profile::name).join(", ");
    let found = Profile::ALL.into_iter().find(|profile| profile.name() == name);
    found.ok_or_else(|| format!("there are {}", names()))
}

/// A number that is above 0.
///
/// # Errors
/// Says what else it is.
pub fn above_zero(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be above 0".to_owned()) })
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse().map_err(|_| "not a number".to_owned())?;
    if f64::is_finite(number) && number >= 0.0 { Ok(number) } else { Err("must be finite, not negative".to_owned()) }
}
