//! Logs of all commands: to stderr, one event a line, for people or as JSON.

use std::env::{self, VarError};
use std::io::{self, IsTerminal};

use anyhow::{anyhow, bail};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What `--help` says of the environment.
pub const HELP: &str = "HOMING_LOG sets the level of the logs, such as HOMING_LOG=debug or \
                        HOMING_LOG=info,homing::ext_proc=trace; info by default.";

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
    let directives = match env::var("HOMING_LOG") {
        Ok(directives) => directives,
        Err(VarError::NotPresent) => String::new(),
        Err(VarError::NotUnicode(_)) => bail!("HOMING_LOG: is not text"),
    };
    let filter = filter(&directives)?;
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => logs.try_init(),
    };
    started.map_err(|error| anyhow!(error))
}

fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    if let Some(word) = no_level(directives) {
        bail!("HOMING_LOG: `{word}` is no level; use error, warn, info, debug or trace, or TARGET=LEVEL");
    }
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(directives);
    // Its cause says the same again.
    let filter = filter.map_err(|error| anyhow!("HOMING_LOG: {error}"))?;
    quiet(directives).try_fold(filter, |filter, target| Ok(filter.add_directive(format!("{target}=off").parse()?)))
}

/// Targets that repeat each failure of a watch, which `homing::sources` says once and in words; not those that the
/// directives name, by a beginning at least.
fn quiet(directives: &str) -> impl Iterator<Item = &'static str> {
    let targets: Vec<&str> =
        directives.split(',').filter_map(|directive| directive.trim().split(['=', '[']).next()).collect();
    ["kube_client", "kube_runtime"].into_iter().filter(move |quiet| {
        let names = |target: &&str| !target.is_empty() && (quiet.starts_with(*target) || target.starts_with(quiet));
        !targets.iter().any(names)
    })
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
    fn what_is_wrong_is_said_once_and_names_the_variable_once() {
        for wrong in ["warning", "homing=loud", "homing[=info", "homing[{a=}]=info,=,="] {
            let Err(error) = filter(wrong) else { continue };
            let text = format!("{error:#}");
            assert!(text.starts_with("HOMING_LOG: ") && text.matches("HOMING_LOG").count() == 1, "{text}");
            let causes: Vec<&str> = text.split(": ").collect();
            assert!(causes.windows(2).all(|two| two[0] != two[1]), "{text}");
        }
        assert!(filter("homing=loud").is_err());
    }

    #[test]
    fn the_kubernetes_client_is_silent_unless_it_is_named() {
        for (directives, silent) in [
            ("", "kube_client kube_runtime"),
            ("debug,homing::sources::kubernetes=trace", "kube_client kube_runtime"),
            ("info, kube_client=debug", "kube_runtime"),
            ("kube_runtime::watcher=debug", "kube_client"),
            ("kube=debug", ""),
        ] {
            assert_eq!(quiet(directives).collect::<Vec<_>>().join(" "), silent, "{directives}");
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_found() {
        assert_eq!(no_level("info,warning"), Some("warning"));
        for good in ["", "debug", "WARN, homing::ext_proc=trace", "homing=debug,info"] {
            assert_eq!(no_level(good), None, "{good}");
        }
    }
}
