//! The families that engines tell their load by: one table, an engine a block.
//!
//! A new engine is a kind in `model`, a block here, and its page and port in `config`.

use crate::model::EngineKind;

/// A number that an engine tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Requests queued and not yet scheduled.
    Waiting,
    /// The same from a server in front of the engine; counts only where the engine itself does not say.
    Pending,
    /// Requests in execution batches.
    Running,
    /// Share of KV blocks that running requests hold.
    KvUsage,
    /// Tokens in a KV block.
    BlockTokens,
    /// KV blocks of the whole cache.
    Blocks,
}

impl Signal {
    /// How many signals there are.
    pub const COUNT: usize = 6;
}

/// What a series of a family says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Its value is this signal.
    Value(Signal),
    /// Two of its labels are the size and the number of blocks.
    Cache {
        /// The label with [`Signal::BlockTokens`].
        block_tokens: &'static str,
        /// The label with [`Signal::Blocks`].
        blocks: &'static str,
    },
    /// Its labels list the LoRA adapters in use; its value is the time when they were.
    Adapters,
}

/// One family of an engine. Names are matched exactly: longer ones mean something else.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Only series with this value of this label count; a label that is absent is empty.
    pub only: Option<(&'static str, &'static str)>,
    /// What they say.
    pub says: Says,
}

/// How one engine tells its load.
#[derive(Debug)]
pub struct Dialect {
    /// The engine.
    pub engine: EngineKind,
    /// Series that differ in these labels speak of different queues; in all others they repeat each other.
    pub apart: &'static [&'static str],
    /// Its families.
    pub families: &'static [Family],
}

/// Every engine that is understood, in the order of [`EngineKind::ALL`].
pub const DIALECTS: [Dialect; 4] = [
    Dialect {
        engine: EngineKind::Vllm,
        apart: &["engine", "model_name"],
        families: &[
            value("vllm:num_requests_waiting", Signal::Waiting),
            value("vllm:num_requests_running", Signal::Running),
            value("vllm:kv_cache_usage_perc", Signal::KvUsage),
            // The older name; for a while both were there.
            value("vllm:gpu_cache_usage_perc", Signal::KvUsage),
            cache("vllm:cache_config_info", "block_size", "num_gpu_blocks", None),
            Family { name: "vllm:lora_requests_info", only: None, says: Says::Adapters },
        ],
    },
    Dialect {
        engine: EngineKind::Sglang,
        apart: &["dp_rank", "model_name"],
        families: &[
            only("sglang:num_queue_reqs", TOTAL, Signal::Waiting),
            only("sglang:num_running_reqs", TOTAL, Signal::Running),
            only("sglang:token_usage", TOTAL, Signal::KvUsage),
            only("sglang:page_size", TOTAL, Signal::BlockTokens),
            only("sglang:num_pages", TOTAL, Signal::Blocks),
            // Before the two gauges above.
            cache("sglang:cache_config_info", "page_size", "num_pages", Some(TOTAL)),
        ],
    },
    Dialect {
        engine: EngineKind::TrtllmServe,
        apart: &["model_name"],
        families: &[
            value("trtllm_num_requests_waiting", Signal::Waiting),
            value("trtllm_num_requests_running", Signal::Running),
            value("trtllm_kv_cache_utilization", Signal::KvUsage),
            value("trtllm_kv_cache_tokens_per_block", Signal::BlockTokens),
            value("trtllm_kv_cache_max_blocks", Signal::Blocks),
        ],
    },
    Dialect {
        engine: EngineKind::TritonTensorrtLlm,
        apart: &["model", "version"],
        families: &[
            only("nv_trt_llm_request_metrics", ("request_type", "waiting"), Signal::Waiting),
            only("nv_trt_llm_request_metrics", ("request_type", "scheduled"), Signal::Running),
            only("nv_trt_llm_kv_cache_block_metrics", ("kv_cache_block_type", "fraction"), Signal::KvUsage),
            only("nv_trt_llm_kv_cache_block_metrics", ("kv_cache_block_type", "tokens_per"), Signal::BlockTokens),
            only("nv_trt_llm_kv_cache_block_metrics", ("kv_cache_block_type", "max"), Signal::Blocks),
            value("nv_inference_pending_request_count", Signal::Pending),
        ],
    },
];

/// SGLang's series for all priorities together; those with a priority are parts of it.
const TOTAL: (&str, &str) = ("priority", "");

const fn value(name: &'static str, signal: Signal) -> Family {
    Family { name, only: None, says: Says::Value(signal) }
}

const fn only(name: &'static str, only: (&'static str, &'static str), signal: Signal) -> Family {
    Family { name, only: Some(only), says: Says::Value(signal) }
}

const fn cache(
    name: &'static str,
    block_tokens: &'static str,
    blocks: &'static str,
    only: Option<(&'static str, &'static str)>,
) -> Family {
    Family { name, only, says: Says::Cache { block_tokens, blocks } }
}
