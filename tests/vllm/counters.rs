//! What an engine counts, read from its metrics page by other code than Homing's.

use std::net::SocketAddr;
use std::ops::Sub;

use anyhow::Context;
use serde::Serialize;

use crate::http;

/// Counters since the engine's start, or what they gained between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Tokens of prompts that were computed: `prompt_tokens_by_source_total{source="local_compute"}`.
    pub computed_tokens: f64,
    /// Tokens of prompts that were in the cache: the same of `local_cache_hit`.
    pub hit_tokens: f64,
    /// `prompt_tokens_cached_total`.
    pub cached_tokens: f64,
    /// `prompt_tokens_total`.
    pub prompt_tokens: f64,
    /// `request_success_total` of all reasons.
    pub requests: f64,
    /// `num_preemptions_total`.
    pub preemptions: f64,
}

/// What an engine says of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gauges {
    pub running: f64,
    pub waiting: f64,
    pub kv_usage: f64,
}

/// The size of an engine's cache, by its `cache_config_info`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cache {
    pub block_tokens: u64,
    pub blocks: u64,
}

/// One look at an engine's metrics page.
pub struct Page(String);

// === impl Page ===

impl Page {
    pub async fn of(engine: SocketAddr) -> anyhow::Result<Self> {
        http::get(engine, "/metrics").await.map(Self::new)
    }

    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub fn counters(&self) -> Counters {
        let by_source = "vllm:prompt_tokens_by_source_total";
        Counters {
            computed_tokens: self.sum(by_source, "source=\"local_compute\""),
            hit_tokens: self.sum(by_source, "source=\"local_cache_hit\""),
            cached_tokens: self.sum("vllm:prompt_tokens_cached_total", ""),
            prompt_tokens: self.sum("vllm:prompt_tokens_total", ""),
            requests: self.sum("vllm:request_success_total", ""),
            preemptions: self.sum("vllm:num_preemptions_total", ""),
        }
    }

    pub fn gauges(&self) -> Gauges {
        Gauges {
            running: self.sum("vllm:num_requests_running", ""),
            waiting: self.sum("vllm:num_requests_waiting", ""),
            kv_usage: self.sum("vllm:kv_cache_usage_perc", ""),
        }
    }

    pub fn cache(&self) -> anyhow::Result<Cache> {
        let labels = self.series("vllm:cache_config_info").next().context("the engine tells no cache_config_info")?.0;
        let number = |name: &str| -> Option<u64> {
            // Other labels end in the same words.
            let told = labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix('='))?;
            told.trim_matches('"').parse().ok()
        };
        let size = number("block_size").zip(number("num_gpu_blocks"));
        let (block_tokens, blocks) = size.context("cache_config_info lacks the number or the size of blocks")?;
        Ok(Cache { block_tokens, blocks })
    }

    /// All series of a family that have `label` among their labels.
    fn sum(&self, family: &str, label: &str) -> f64 {
        self.series(family).filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value).sum()
    }

    fn series<'a>(&'a self, family: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(family)?.strip_prefix('{')?.rsplit_once("} ")?;
            Some((labels, value.trim().parse().ok()?))
        })
    }
}

// === impl Counters ===

impl Counters {
    /// Share of prompt tokens that were in the cache.
    pub fn hit_ratio(&self) -> f64 {
        self.hit_tokens / self.prompt_tokens.max(1.0)
    }
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            computed_tokens: self.computed_tokens - before.computed_tokens,
            hit_tokens: self.hit_tokens - before.hit_tokens,
            cached_tokens: self.cached_tokens - before.cached_tokens,
            prompt_tokens: self.prompt_tokens - before.prompt_tokens,
            requests: self.requests - before.requests,
            preemptions: self.preemptions - before.preemptions,
        }
    }
}

impl std::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let nothing = Self::default();
        all.fold(nothing, |sum, one| sum - (nothing - one))
    }
}
