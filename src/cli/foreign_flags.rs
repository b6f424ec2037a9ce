//! Flags of the reference pickers: those of the inference extension up to 1.5, its lightweight picker and llm-d's.
//!
//! A flag that means the same here has the same name and needs nothing of this. The others are in one table, and
//! [`split`] takes them with a warning, so that a manifest written for such a picker starts. It also reads names as
//! their older versions wrote them, `-pool-name`, `-poolName`, and leaves out what is empty in both.

use std::ffi::OsString;

use clap::{Args, Command};

use super::serve;

/// A flag that has no counterpart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its name, with the hyphens.
    pub name: &'static str,
    takes: Takes,
    /// What comes nearest here; empty where nothing does.
    pub instead: &'static str,
}

/// Whether a value follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// After an equals sign or in a word of its own.
    Value,
    /// Only after an equals sign. A truth value in a word of its own is not read by them, but somebody may have written it.
    Switch,
}

const fn value(name: &'static str, instead: &'static str) -> Foreign {
    Foreign { name, takes: Takes::Value, instead }
}

const fn switch(name: &'static str, instead: &'static str) -> Foreign {
    Foreign { name, takes: Takes::Switch, instead }
}

/// All of them.
const FOREIGN: &[Foreign] = &[
    // How they log.
    value("--v", "HOMING_LOG"),
    value("--zap-encoder", "--log-format"),
    value("--zap-log-level", "HOMING_LOG"),
    value("--zap-stacktrace-level", ""),
    value("--zap-time-encoding", ""),
    switch("--zap-devel", "--log-format"),
    switch("--tracing", ""),
    switch("--enable-pprof", ""),
    switch("--enable-plugin-state-debug", "the admin port"),
    switch("--enable-grpc-stream-metrics", ""),
    value("--fairness-id-metric-label-limit", ""),
    // What they watch, and how often they lead.
    value("--pool-group", ""),
    switch("--ha-enable-leader-election", ""),
    switch("--disable-endpoint-subset-filter", ""),
    switch("--emit-endpoint-scores", "--explain-header"),
    // Metrics of engines.
    value("--refresh-metrics-interval", "engineMetrics.interval"),
    value("--metrics-staleness-threshold", ""),
    value("--model-server-metrics-path", "engineMetrics.path"),
    value("--model-server-metrics-port", "engineMetrics.port"),
    value("--model-server-metrics-scheme", ""),
    switch("--model-server-metrics-https-insecure-skip-verify", ""),
    value("--total-queued-requests-metric", "engineMetrics.engine"),
    value("--total-running-requests-metric", "engineMetrics.engine"),
    value("--kv-cache-usage-percentage-metric", "engineMetrics.engine"),
    value("--lora-info-metric", "engineMetrics.engine"),
    value("--cache-info-metric", "engineMetrics.engine"),
    switch("--enable-multi-engine", "engineMetrics.engine"),
    value("--engine-label-key", "engineMetrics.engine"),
    // Their own ports.
    value("--refresh-prometheus-metrics-interval", ""),
    switch("--metrics-endpoint-auth", ""),
    value("--metrics-client-ca-file", ""),
    value("--metrics-cert-dir", ""),
    switch("--health-checking", ""),
    switch("--enable-cert-reload", "--cert-path"),
    value("--tls-min-version", ""),
    value("--tls-cipher-suites", ""),
    value("--grpc-max-recv-msg-size", "limits.requestBody"),
    value("--grpc-max-send-msg-size", ""),
    // Their plugins.
    value("--plugin-state-staleness-threshold", ""),
    value("--feature-gates", ""),
    switch("--allow-experimental-plugins", ""),
];

/// Flags of both, of text, whose default is an empty one with them: given empty they are as good as not given.
const EMPTY_IS_ABSENT: &[&str] =
    &["--pool-name", "--pool-namespace", "--endpoint-selector", "--cert-path", "--config-file", "--config-text"];

/// What their parsers read as true or false.
const TRUTH: &[&str] = &["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"];

// === impl Foreign ===

impl Foreign {
    fn is_followed_by(&self, word: &str) -> bool {
        match self.takes {
            Takes::Value => !word.starts_with("--"),
            // By version such a word is passed over, or everything after it is.
            Takes::Switch => TRUTH.contains(&word),
        }
    }
}

/// Takes foreign flags out of `arguments` and returns what is left, and those that were taken.
///
/// Only `serve` has predecessors: other commands' arguments stay as they are.
pub fn split(arguments: Vec<OsString>) -> (Vec<OsString>, Vec<Foreign>) {
    if arguments.get(1).is_none_or(|command| command != "serve") {
        return (arguments, Vec::new());
    }
    let mut kept = Vec::with_capacity(arguments.len());
    let mut taken = Vec::new();
    let ours = serve::Args::augment_args(Command::new("serve"));
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            kept.push(argument);
            kept.extend(arguments);
            break;
        }
        let argument = argument.to_str().and_then(spelt).map_or(argument, OsString::from);
        let text = argument.to_string_lossy();
        let (name, inline) = text.split_once('=').map_or((&*text, None), |(name, value)| (name, Some(value)));
        if let Some(foreign) = FOREIGN.iter().find(|foreign| foreign.name == name) {
            taken.push(*foreign);
            if inline.is_none() {
                arguments.next_if(|next| foreign.is_followed_by(&next.to_string_lossy()));
            }
            continue;
        }
        // A value is no flag, whatever it looks like.
        let value = if inline.is_none() && needs_value(&ours, name) { arguments.next() } else { None };
        let is_empty = inline.map_or(value.as_ref().is_some_and(|value| value.is_empty()), str::is_empty);
        if !(is_empty && EMPTY_IS_ABSENT.contains(&name)) {
            kept.push(argument);
            kept.extend(value);
        }
    }
    (kept, taken)
}

/// Whether `name` is a flag of ours that a value has to follow.
fn needs_value(ours: &Command, name: &str) -> bool {
    let Some(name) = name.strip_prefix("--") else { return false };
    ours.get_arguments().any(|argument| {
        argument.get_long() == Some(name)
            && argument.get_action().takes_values()
            && argument.get_num_args().is_none_or(|count| count.min_values() > 0)
    })
}

/// A flag as it is written today, where it is written in an older way: with one hyphen, or with capitals.
fn spelt(argument: &str) -> Option<String> {
    if argument == "-h" || argument == "-V" {
        return None;
    }
    let (bare, old) = match (argument.strip_prefix("--"), argument.strip_prefix('-')) {
        (Some(bare), _) => (bare, false),
        (None, Some(bare)) => (bare, true),
        (None, None) => return None,
    };
    let (name, rest) = bare.split_at(bare.find('=').unwrap_or(bare.len()));
    if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return None;
    }
    // One letter and its value in one word, as in -v4.
    if old && let Some(level) = name.strip_prefix('v').filter(|level| level.parse::<i8>().is_ok()) {
        return Some(format!("--v={level}"));
    }
    let capitals = name.contains(|letter: char| letter.is_ascii_uppercase());
    (old || capitals).then(|| format!("--{}{rest}", hyphened(name)))
}

/// `poolName` as `pool-name`.
fn hyphened(name: &str) -> String {
    name.chars().fold(String::with_capacity(name.len() + 4), |mut name, letter| {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
        name
    })
}

#[cfg(test)]
mod tests;
