//! The metrics page of an engine: in vLLM's words, or as told.

use http::{Response, header};

use crate::support::body::{self, Body};

/// What the page says.
#[derive(Clone, Debug)]
pub(super) enum MetricsPage {
    /// Nothing runs and nothing waits, over a cache of 480,000 tokens.
    Idle,
    /// This.
    Told(String),
    /// Nothing, ever.
    Hanging,
}

const IDLE: &str = r#"# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="test-model"} 0.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="test-model"} 0.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="test-model"} 0.0
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="30000"} 1.0
"#;

pub(super) async fn answer_metrics(page: MetricsPage) -> Response<Body> {
    let text = match page {
        MetricsPage::Hanging => std::future::pending().await,
        MetricsPage::Idle => IDLE.to_owned(),
        MetricsPage::Told(text) => text,
    };
    let mut response = Response::new(body::full(text));
    let kind = "text/plain; version=0.0.4; charset=utf-8".parse().expect("a plain value");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
