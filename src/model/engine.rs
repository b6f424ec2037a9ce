//! What an engine says of itself on its metrics page.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// An engine, as far as its metrics tell it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// TensorRT-LLM under its own server.
    TrtllmServe,
    /// Triton with the TensorRT-LLM backend.
    TritonTensorrtLlm,
}

impl EngineKind {
    /// Every kind; where a page speaks of several, the first of them counts.
    pub const ALL: [Self; 4] = [Self::Vllm, Self::Sglang, Self::TrtllmServe, Self::TritonTensorrtLlm];

    /// The word in the configuration, in explanations and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::TrtllmServe => "trtllm-serve",
            Self::TritonTensorrtLlm => "triton-tensorrt-llm",
        }
    }
}

/// A LoRA adapter: the XXH3 hash of its name, so that a pick compares integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Adapter(pub u64);

impl Adapter {
    /// The adapter of this name.
    pub fn named(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }
}

/// What an engine says of its LoRA adapters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterReport {
    /// Adapters that it holds at once, at least 1 (`max_lora`).
    pub slots: usize,
    /// Adapters that requests wait for, then those that requests run with; an adapter may come twice.
    pub in_use: Vec<Adapter>,
}

/// One scrape of an engine's metrics; a field that its page lacks is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineReport {
    /// Whose names were found; `None` where the page has none that we know.
    pub engine: Option<EngineKind>,
    /// Requests queued and not yet scheduled.
    pub waiting: Option<u32>,
    /// Requests in execution batches.
    pub running: Option<u32>,
    /// Share of KV blocks that running requests hold, 0 to 1.
    pub kv_usage: Option<f64>,
    /// Tokens in a KV block.
    pub block_tokens: Option<u64>,
    /// KV blocks of the whole cache.
    pub blocks: Option<u64>,
    /// LoRA adapters; only vLLM tells, and only after the first was used.
    pub adapters: Option<AdapterReport>,
    /// Start of the engine's process in unix seconds (`process_start_time_seconds`): forward means restarted.
    pub process_start: Option<f64>,
}

impl EngineReport {
    /// Tokens that the engine's KV cache holds, if it says.
    pub fn cache_tokens(&self) -> Option<u64> {
        Some(self.block_tokens?.saturating_mul(self.blocks?)).filter(|tokens| *tokens > 0)
    }
}
