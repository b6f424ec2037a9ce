//! What an engine says of itself on its metrics page.

/// One scrape of an engine's metrics; a field that its page lacks is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EngineReport {
    /// Requests queued and not yet scheduled (`vllm:num_requests_waiting`).
    pub waiting: Option<u32>,
    /// Requests in execution batches (`vllm:num_requests_running`).
    pub running: Option<u32>,
    /// Share of KV blocks that running requests hold, 0 to 1 (`vllm:kv_cache_usage_perc`).
    pub kv_usage: Option<f64>,
    /// Tokens in a KV block (`vllm:cache_config_info{block_size}`).
    pub block_tokens: Option<u64>,
    /// KV blocks of the whole cache (`vllm:cache_config_info{num_gpu_blocks}`).
    pub blocks: Option<u64>,
    /// Start of the engine's process in unix seconds (`process_start_time_seconds`): forward means restarted.
    pub process_start: Option<f64>,
}

impl EngineReport {
    /// Tokens that the engine's KV cache holds, if it says.
    pub fn cache_tokens(&self) -> Option<u64> {
        Some(self.block_tokens?.saturating_mul(self.blocks?)).filter(|tokens| *tokens > 0)
    }
}
