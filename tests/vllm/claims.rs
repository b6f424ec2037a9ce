//! What must hold.

use serde::Serialize;

use crate::report::Report;

/// Homing's engines compute at most this share of what round robin's compute.
const MOST_COMPUTED: f64 = 0.8;
/// How far the sum of predictions may be off.
const PREDICTION: f64 = 0.15;
/// How far the highest KV usage that Homing saw may be off: it looks once a second.
const KV_USAGE: f64 = 0.1;

/// One claim, and whether it holds.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    pub holds: bool,
    pub claim: String,
    pub seen: String,
}

/// All claims about a run.
pub fn judge(report: &Report) -> Vec<Claim> {
    let [before, after] = &report.policies;
    let mut claims = Vec::new();
    let mut claim = |holds: bool, claim: String, seen: String| claims.push(Claim { holds, claim, seen });
    for policy in &report.policies {
        let (total, cached, prompt) = (&policy.total, policy.usage_cached_tokens, policy.usage_prompt_tokens);
        claim(
            total.hit_tokens == cached as f64
                && total.cached_tokens == cached as f64
                && total.prompt_tokens == prompt as f64
                && total.computed_tokens + total.hit_tokens == total.prompt_tokens,
            format!("{}: the engines' counters and the answers' usage agree", policy.name),
            format!(
                "{} of {} tokens cached by counters, {cached} of {prompt} by usage",
                total.hit_tokens, total.prompt_tokens
            ),
        );
    }
    claim(
        after.hit_ratio > before.hit_ratio
            && after.total.computed_tokens <= MOST_COMPUTED * before.total.computed_tokens,
        format!("more hits than round robin, and at most {:.0} % of its computed tokens", MOST_COMPUTED * 100.0),
        format!(
            "{:.1} % hits after {:.1} %, {:.0} % of the computed tokens",
            after.hit_ratio * 100.0,
            before.hit_ratio * 100.0,
            after.total.computed_tokens / before.total.computed_tokens * 100.0
        ),
    );
    let all = &report.predictions[0];
    claim(
        all.relative().abs() <= PREDICTION,
        format!("predicted uncached tokens add up to within {:.0} % of the reported ones", PREDICTION * 100.0),
        format!("{:.0} predicted, {:.0} reported: {:+.1} %", all.predicted, all.reported, all.relative() * 100.0),
    );
    for cache in &report.caches {
        claim(
            cache.homing_blocks == cache.expected_blocks && cache.engine.as_deref() == Some("vllm"),
            format!("{}: the index is as large as the KV cache", cache.endpoint),
            format!(
                "{} x {} tokens by the engine are {} blocks of the index, Homing says {}",
                cache.told.blocks, cache.told.block_tokens, cache.expected_blocks, cache.homing_blocks
            ),
        );
    }
    let burst = &report.burst;
    claim(
        burst.engine.running > 1.0 && f64::from(burst.homing_in_flight) == burst.engine.running,
        "under a burst past the gateway Homing sees what the engine runs".to_owned(),
        format!("at most {} by the engine, {} by Homing", burst.engine.running, burst.homing_in_flight),
    );
    claim(
        burst.engine.waiting > 1.0 && burst.homing_waiting_tokens > 0.0,
        "and that requests wait".to_owned(),
        format!("at most {} by the engine, {:.0} tokens by Homing", burst.engine.waiting, burst.homing_waiting_tokens),
    );
    claim(
        burst.engine.kv_usage > 0.0 && (burst.engine.kv_usage - burst.homing_kv_usage).abs() <= KV_USAGE,
        format!("and the KV cache's use, to {KV_USAGE}"),
        format!("at most {:.3} by the engine, {:.3} by Homing", burst.engine.kv_usage, burst.homing_kv_usage),
    );
    let after = &burst.after;
    claim(
        after.in_flight == 0 && after.waiting_tokens == 0.0 && after.kv_usage == Some(0.0),
        "and that it is over".to_owned(),
        format!("{} in flight, {} waiting, KV usage {:?}", after.in_flight, after.waiting_tokens, after.kv_usage),
    );
    claims
}
