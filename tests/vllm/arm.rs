//! One policy's run: caches emptied, the plan sent, the engines' counters read before and after.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::chat::Asker;
use crate::counters::{Counters, Page};
use crate::drive::{self, Exchange};
use crate::http;
use crate::plan::Plan;

/// What one policy came to.
pub struct Arm {
    pub exchanges: Vec<Exchange>,
    pub summary: Summary,
}

/// The numbers of one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub name: &'static str,
    /// What each engine's counters gained, in the order of the replicas.
    pub engines: Vec<Counters>,
    /// The same, all together.
    pub total: Counters,
    /// The share of prompt tokens that were in a cache, by `total`.
    pub hit_ratio: f64,
    /// Tokens of prompts, and of these in a cache, by the `usage` of all answers.
    pub usage_prompt_tokens: u64,
    pub usage_cached_tokens: u64,
    /// Seconds to the first token, as the client sees it.
    pub ttft_s: Ttft,
    /// Seconds from the first request to the last answer.
    pub seconds: f64,
}

/// Times to first token.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ttft {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
}

/// What an engine says of its emptied cache.
#[derive(Deserialize)]
struct Emptied {
    success: bool,
}

/// Sends `plan` to `asker`, from cold caches.
pub async fn run(name: &'static str, replicas: &[SocketAddr], asker: &Asker, plan: &Plan) -> anyhow::Result<Arm> {
    for replica in replicas {
        let said: Emptied = serde_json::from_str(&http::post(*replica, "/reset_prefix_cache").await?)?;
        ensure!(said.success, "{name}: {replica} did not empty its cache");
    }
    let before = counters(replicas).await?;
    let began = Instant::now();
    let exchanges = drive::run(asker, plan, name).await?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(exchanges.len() == plan.order.len(), "{name}: not all were answered");
    ensure!(exchanges[0].answer.cached_tokens == 0, "{name}: the first prompt was in a cache that was emptied");
    let engines: Vec<Counters> =
        counters(replicas).await?.into_iter().zip(before).map(|(after, before)| after - before).collect();
    let total: Counters = engines.iter().copied().sum();
    let usage = |tokens: fn(&Exchange) -> u64| exchanges.iter().map(tokens).sum();
    let summary = Summary {
        name,
        engines,
        total,
        hit_ratio: total.hit_ratio(),
        usage_prompt_tokens: usage(|exchange| exchange.answer.prompt_tokens),
        usage_cached_tokens: usage(|exchange| exchange.answer.cached_tokens),
        ttft_s: Ttft::of(exchanges.iter().map(|exchange| exchange.answer.first_token)),
        seconds,
    };
    Ok(Arm { exchanges, summary })
}

async fn counters(replicas: &[SocketAddr]) -> anyhow::Result<Vec<Counters>> {
    let mut counters = Vec::with_capacity(replicas.len());
    for replica in replicas {
        counters.push(Page::of(*replica).await?.counters());
    }
    Ok(counters)
}

// === impl Ttft ===

impl Ttft {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<f64> = times.map(|time| time.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        Self { mean: times.iter().sum::<f64>() / times.len() as f64, p50: rank(50), p90: rank(90), p99: rank(99) }
    }
}
