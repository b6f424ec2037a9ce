//! Ranges: what the types alone do not rule out.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;
use http::uri::PathAndQuery;

use super::byte_size::ByteSize;
use super::kinds::EngineChoice;
use super::schema::{
    AdapterLocality, EngineMetrics, Limits, PickerConfig, PrefixIndex, PrefixLocality, Scorer, Scorers,
    SessionAffinity, Sessions,
};

/// Session headers looked for in each request: a handful, because each costs a look.
const HEADERS: RangeInclusive<usize> = 1..=16;

/// Below 64 bytes the index outgrows the prompts; above 64 KiB hardly a prompt fills a block.
const BLOCK_BYTES: RangeInclusive<usize> = 64..=65_536;

/// More than any engine makes of one picture.
const MEDIA_TOKENS: RangeInclusive<usize> = 1..=65_536;

/// Longest duration of any kind: no sum of it with a clock can overflow.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Calls `note` with the field and the way to mend it, for every value out of range.
pub fn validate(config: &PickerConfig, mut note: impl FnMut(&str, String)) {
    // Taken apart without `..`, so that a new field does not compile before somebody thought of its range.
    let PickerConfig { api_version: _, kind: _, sessions, scorers, prefix_index, limits, engine_metrics } = config;
    let note = &mut note;

    let Sessions { headers, generate: _, affinity: _, idle_timeout, max_sessions, catalogue: _, tenant_header } =
        sessions;
    within("sessions.headers", headers.len(), HEADERS, "names", note);
    for (index, name) in headers.iter().enumerate() {
        let field = format!("sessions.headers[{index}]");
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            note(&field, format!("`{name}` is not a header name: use letters, digits and hyphens"));
        } else if headers[..index].contains(name) {
            note(&field, format!("`{name}` is listed twice: remove one"));
        }
    }
    if let Some(name) = tenant_header.as_ref().filter(|name| HeaderName::from_bytes(name.as_bytes()).is_err()) {
        note("sessions.tenantHeader", format!("`{name}` is not a header name: use letters, digits and hyphens"));
    }
    if let Some(name) = tenant_header.as_ref().filter(|name| headers.contains(name)) {
        let fix = format!("`{name}` is one of sessions.headers: a header names the tenant or the session, not both");
        note("sessions.tenantHeader", fix);
    }
    lasts("sessions.idleTimeout", *idle_timeout, Duration::from_secs(1), note);
    if *max_sessions == 0 {
        note("sessions.maxSessions", "must be at least 1; to ignore sessions set sessions.affinity to off".into());
    }

    let Scorers { session_affinity, prefix_locality, queue_depth, adapter_locality } = scorers;
    let SessionAffinity { weight: session_weight, outdated_tokens } = session_affinity;
    let PrefixLocality { weight: prefix_weight, load_growth } = prefix_locality;
    let Scorer { weight: queue_weight } = queue_depth;
    let AdapterLocality { weight: adapter_weight, load_tokens } = adapter_locality;
    for (field, weight) in [
        ("scorers.sessionAffinity.weight", session_weight),
        ("scorers.prefixLocality.weight", prefix_weight),
        ("scorers.queueDepth.weight", queue_weight),
        ("scorers.adapterLocality.weight", adapter_weight),
    ] {
        if !(weight.is_finite() && *weight >= 0.0) {
            note(field, format!("is {weight}, must be a finite number of 0 or more; 0 turns the scorer off"));
        }
    }
    if !(0.0..=1.0).contains(load_growth) {
        note("scorers.prefixLocality.loadGrowth", format!("is {load_growth}, must be between 0 and 1"));
    }
    for (field, tokens) in [
        ("scorers.sessionAffinity.outdatedTokens", outdated_tokens),
        ("scorers.adapterLocality.loadTokens", load_tokens),
    ] {
        if !(tokens.is_finite() && *tokens >= 0.0) {
            note(field, format!("is {tokens}, must be a finite number of 0 or more"));
        }
    }

    let PrefixIndex { block_bytes, bytes_per_token, default_cache_tokens, media_tokens } = prefix_index;
    within("prefixIndex.blockBytes", *block_bytes, BLOCK_BYTES, "bytes", note);
    if !(*bytes_per_token > 0.0 && *bytes_per_token <= 64.0) {
        note("prefixIndex.bytesPerToken", format!("is {bytes_per_token}, must be above 0 and at most 64; 4 is usual"));
    }
    if *default_cache_tokens == 0 {
        note("prefixIndex.defaultCacheTokens", "must be at least 1; 500000 is usual".into());
    }
    within("prefixIndex.mediaTokens", *media_tokens, MEDIA_TOKENS, "tokens", note);

    let Limits { request_body, buffered_bodies, body_wait, waiting_tokens_per_endpoint, strict: _ } = limits;
    if *request_body < ByteSize(1 << 10) {
        note("limits.requestBody", format!("is {request_body}, must be at least 1KiB; 32MiB is usual"));
    }
    if buffered_bodies < request_body {
        let fix = format!("is {buffered_bodies}, must be at least limits.requestBody ({request_body}): raise it");
        note("limits.bufferedBodies", fix);
    }
    lasts("limits.bodyWait", *body_wait, Duration::from_millis(1), note);
    if *waiting_tokens_per_endpoint == Some(0) {
        note("limits.waitingTokensPerEndpoint", "must be at least 1; leave it out to shed nothing".into());
    }

    let EngineMetrics { enabled: _, interval, timeout, engine, path, port } = engine_metrics;
    lasts("engineMetrics.interval", *interval, Duration::from_millis(50), note);
    lasts("engineMetrics.timeout", *timeout, Duration::from_millis(10), note);
    if let Some(path) = path {
        match path.parse::<PathAndQuery>() {
            Ok(page) if path.starts_with('/') => {
                if *engine == EngineChoice::TrtllmServe && page.path().trim_end_matches('/') == "/metrics" {
                    let fix = "reading /metrics of trtllm-serve takes its statistics away: use /prometheus/metrics";
                    note("engineMetrics.path", fix.into());
                }
            }
            _ => note("engineMetrics.path", format!("`{path}` is not a path: start it with /, such as /metrics")),
        }
    }
    if *port == Some(0) {
        note("engineMetrics.port", "must be between 1 and 65535; leave it out for the engine's own".into());
    }
}

fn within(
    field: &str,
    value: usize,
    range: RangeInclusive<usize>,
    unit: impl Display,
    note: &mut impl FnMut(&str, String),
) {
    if !range.contains(&value) {
        note(field, format!("has {value} {unit}, must be between {} and {}", range.start(), range.end()));
    }
}

fn lasts(field: &str, value: Duration, least: Duration, note: &mut impl FnMut(&str, String)) {
    if !(least..=LONGEST).contains(&value) {
        let [value, least, most] = [value, least, LONGEST].map(humantime::format_duration);
        note(field, format!("is {value}, must be between {least} and {most}"));
    }
}
