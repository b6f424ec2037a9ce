//! Logs of all commands: to stderr, one event a line, for people or as JSON.

use std::env;
use std::io::{self, IsTerminal};

use anyhow::bail;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, the event's fields beside `level` and `message`.
    Json,
    /// Text for people.
    Text,
}

/// Starts logging; `HOMING_LOG` holds the filter, for instance `debug` or `homing::ext_proc=trace`,
/// default `info`. To be called once, before anything logs.
///
/// # Errors
/// When `HOMING_LOG` cannot be read, or logging was started before.
pub fn init(format: LogFormat) -> anyhow::Result<()> {
    let directives = env::var("HOMING_LOG").unwrap_or_default();
    if let Some(word) = no_level(&directives) {
        bail!("HOMING_LOG: `{word}` is no level; use error, warn, info, debug or trace, or TARGET=LEVEL");
    }
    let mut filter =
        EnvFilter::builder().with_env_var("HOMING_LOG").with_default_directive(LevelFilter::INFO.into()).from_env()?;
    if !directives.contains("kube") {
        // They repeat each failure of a watch, which `homing::sources` says once and in words.
        for library in ["kube_client=off", "kube_runtime=off"] {
            filter = filter.add_directive(library.parse()?);
        }
    }
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => logs.try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error))
}

/// A bare word that is no level: the filter would take it for a target and stay silent about everything else.
fn no_level(directives: &str) -> Option<&str> {
    let bare = |word: &&str| !word.is_empty() && !word.contains(['=', '[', ':']);
    directives.split(',').map(str::trim).filter(bare).find(|word| word.parse::<LevelFilter>().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_found() {
        assert_eq!(no_level("info,warning"), Some("warning"));
        for good in ["", "debug", "WARN, homing::ext_proc=trace", "homing=debug,info"] {
            assert_eq!(no_level(good), None, "{good}");
        }
    }
}
