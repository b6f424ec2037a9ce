//! The settings of a comparison, for the page: with them anybody can run it again.

use std::path::Path;

use crate::cli::check::differences;
use crate::replay::policy::{Kind, Spec};
use crate::replay::run::Stage;
use crate::replay::trace::{Format, Trace};

use super::engines::Engines;
use super::measure::{Plan, said};
use super::sharing::ShareEvery;

/// What the page says: names and values.
type Settings = Vec<(String, String)>;

/// What is asked for, where the stage does not hold it.
pub struct Asked<'a> {
    /// The trace.
    pub path: &'a Path,
    /// The engines.
    pub engines: &'a Engines,
    /// Rates and caches.
    pub plan: &'a Plan,
    /// How many pickers.
    pub pickers: &'a [u16],
    /// How often they tell each other what they know.
    pub share_every: &'a [ShareEvery],
    /// The policies.
    pub policies: &'a [Spec],
}

/// The settings of all policies, and what of each configuration differs from the defaults.
pub fn settings(asked: &Asked<'_>, stage: &Stage<'_>) -> Settings {
    let Asked { path, engines, plan, pickers, share_every, policies } = *asked;
    let Stage { trace, copies, replicas, scrape, sessions_by_prefix, warm_up, changes, seed, .. } = stage;
    let all = [
        ("Homing", env!("CARGO_PKG_VERSION").to_owned()),
        ("trace", format!("{}, {}", path.display(), format_of(trace))),
        ("copies of it", copies.to_string()),
        ("replicas", replicas.to_string()),
        ("pickers", list(pickers.iter().map(ToString::to_string))),
        ("shared every", list(share_every.iter().map(ToString::to_string))),
        ("engines", format!("{}: {}", engines.profile(), constants(stage))),
        ("rates", rates(plan)),
        (
            "scrape",
            scrape.map_or("each policy's own".to_owned(), |every| humantime::format_duration(every).to_string()),
        ),
        ("warm-up", format!("{warm_up} requests")),
        ("sessions", if *sessions_by_prefix { "by prefix where there are none" } else { "as in the trace" }.to_owned()),
        ("events", list(changes.iter().map(ToString::to_string))),
        ("seed", seed.to_string()),
    ];
    let mut settings: Settings = all.map(|(name, value)| (name.to_owned(), value)).into();
    for Spec { name, kind } in policies {
        if let Kind::Homing(config) = kind {
            let differs = differences(config);
            let differs = if differs.is_empty() { "the defaults".to_owned() } else { differs.join("; ") };
            settings.push((name.clone(), differs));
        }
    }
    settings
}

fn format_of(trace: &Trace) -> &'static str {
    match trace.format() {
        Format::Mooncake => "in Mooncake's format",
        Format::Prompts { .. } => "prompts",
    }
}

fn constants(stage: &Stage<'_>) -> String {
    let constants = stage.constants;
    format!(
        "cache {} tokens in blocks of {}, steps of {} tokens, {} sequences, {} tokens/s, base step {:.1} ms, {:.1} ns a \
         token of context, attention as dear as all else at {} tokens",
        constants.cache_tokens,
        constants.block_tokens,
        constants.step_tokens,
        constants.max_sequences,
        constants.tokens_per_second,
        constants.base_step * 1e3,
        constants.kv_read * 1e9,
        constants.attention_tokens,
    )
}

fn rates(plan: &Plan) -> String {
    if plan.capacity { "the capacity".to_owned() } else { list(plan.rates.iter().map(|rate| said(*rate))) }
}

fn list(all: impl Iterator<Item = String>) -> String {
    let all: Vec<_> = all.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
