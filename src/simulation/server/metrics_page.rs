//! The metrics page, with the names and labels of vLLM 0.32.

use std::fmt::{self, Write};
use std::time::SystemTime;

use super::EngineServer;
use crate::simulation::engine::Totals;

/// Prometheus text.
pub const CONTENT_TYPE: &str = "text/plain; version=1.0.0; charset=utf-8";

/// What the page tells, taken at one moment.
struct Page<'a> {
    model: &'a str,
    started: f64,
    running: usize,
    waiting: usize,
    kv_usage: f64,
    block_tokens: u64,
    blocks: usize,
    totals: Totals,
}

/// Renders the page as of now.
pub fn render(engine: &EngineServer) -> String {
    let started = engine.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let page = engine.clockwork.read(|model| Page {
        model: &engine.identity.model,
        started,
        running: model.running(),
        waiting: model.waiting(),
        kv_usage: model.kv_usage(),
        block_tokens: model.constants().block_tokens,
        blocks: model.constants().blocks(),
        totals: model.totals(),
    });
    page.to_string()
}

// === impl Page ===

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, started, running, waiting, kv_usage, block_tokens, blocks, totals } = self;
        let Totals { queried, hit, computed, reused, generated } = totals;
        let labels = Labels(model);
        head(f, "process_start_time_seconds", "gauge", "Start time of the process since the Unix epoch, in seconds.")?;
        writeln!(f, "process_start_time_seconds {started:.3}")?;
        head(f, "vllm:num_requests_running", "gauge", "Requests in prefill or decode.")?;
        writeln!(f, "vllm:num_requests_running{{{labels}}} {running}")?;
        head(f, "vllm:num_requests_waiting", "gauge", "Requests that wait for their prefill.")?;
        writeln!(f, "vllm:num_requests_waiting{{{labels}}} {waiting}")?;
        head(f, "vllm:kv_cache_usage_perc", "gauge", "Share of KV blocks that running requests hold, 0 to 1.")?;
        writeln!(f, "vllm:kv_cache_usage_perc{{{labels}}} {kv_usage}")?;
        head(f, "vllm:cache_config_info", "gauge", "Information of the KV cache.")?;
        writeln!(
            f,
            "vllm:cache_config_info{{block_size=\"{block_tokens}\",enable_prefix_caching=\"True\",engine=\"0\",\
             num_gpu_blocks=\"{blocks}\"}} 1"
        )?;
        head(f, "vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up in the prefix cache.")?;
        writeln!(f, "vllm:prefix_cache_queries_total{{{labels}}} {queried}")?;
        head(f, "vllm:prefix_cache_hits_total", "counter", "Prompt tokens found in the prefix cache.")?;
        writeln!(f, "vllm:prefix_cache_hits_total{{{labels}}} {hit}")?;
        head(f, "vllm:prompt_tokens_total", "counter", "Prompt tokens of finished prefills.")?;
        writeln!(f, "vllm:prompt_tokens_total{{{labels}}} {}", computed + reused)?;
        head(f, "vllm:prompt_tokens_by_source_total", "counter", "Prompt tokens of finished prefills by source.")?;
        for (source, tokens) in
            [("local_compute", *computed), ("local_cache_hit", *reused), ("external_kv_transfer", 0)]
        {
            writeln!(f, "vllm:prompt_tokens_by_source_total{{{labels},source=\"{source}\"}} {tokens}")?;
        }
        head(f, "vllm:generation_tokens_total", "counter", "Tokens of answers that ended.")?;
        writeln!(f, "vllm:generation_tokens_total{{{labels}}} {generated}")
    }
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// The labels of every engine metric, without the braces.
struct Labels<'a>(&'a str);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("engine=\"0\",model_name=\"")?;
        for letter in self.0.chars() {
            match letter {
                '\\' | '"' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}
