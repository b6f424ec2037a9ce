//! Logs of all commands: to stderr, one event a line, for people or as JSON.

use std::io::{self, IsTerminal};

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
    let filter =
        EnvFilter::builder().with_env_var("HOMING_LOG").with_default_directive(LevelFilter::INFO.into()).from_env()?;
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => logs.try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error))
}
