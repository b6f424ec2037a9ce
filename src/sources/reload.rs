//! A file that is parsed each time it changes, and whose last good content holds meanwhile.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use super::watch::FileWatch;
use crate::config::ConfigError;

/// Why a file's content was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be read as text.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It can be read and is wrong.
    #[error("{}", listed(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it.
        problems: ConfigError,
    },
}

/// A file of which each good content is a `T`.
#[derive(Debug)]
pub struct Reload<T> {
    watch: FileWatch,
    parse: fn(&str) -> Result<T, ConfigError>,
}

impl<T> Reload<T> {
    /// Reads the file for the first time, and watches it from then on.
    ///
    /// # Errors
    /// It is not there or not right; there is no good content to keep yet.
    pub async fn open(
        path: impl Into<PathBuf>,
        parse: fn(&str) -> Result<T, ConfigError>,
    ) -> Result<(T, Self), ReloadError> {
        let mut reload = Self::new(path, parse);
        let first = reload.next().await?;
        Ok((first, reload))
    }

    /// Watches a file that may not exist yet, or not be right yet. Must be called within a tokio runtime.
    pub fn new(path: impl Into<PathBuf>, parse: fn(&str) -> Result<T, ConfigError>) -> Self {
        Self { watch: FileWatch::new(path), parse }
    }

    /// Waits for the next content.
    ///
    /// # Errors
    /// The content cannot be read or is not right; what was good before still holds.
    pub async fn next(&mut self) -> Result<T, ReloadError> {
        let content = self.watch.changed().await;
        let path = || self.watch.path().to_owned();
        let text = content.map_err(|cause| ReloadError::Unreadable { path: path(), cause })?;
        (self.parse)(&text).map_err(|problems| ReloadError::Invalid { path: path(), problems })
    }

    /// Hands over what each later change makes of the file; a bad one is also logged. Never returns.
    pub async fn follow(mut self, mut apply: impl FnMut(Result<T, &ReloadError>)) -> Infallible {
        loop {
            match self.next().await {
                Ok(value) => {
                    tracing::info!(path = %self.watch.path().display(), "reloaded");
                    apply(Ok(value));
                }
                Err(error) => {
                    tracing::warn!(%error, "not reloaded; what was good before still holds");
                    apply(Err(&error));
                }
            }
        }
    }
}

/// `FILE:line:column: field: message`, a line each.
fn listed(path: &Path, error: &ConfigError) -> String {
    let mut text = String::new();
    for (index, problem) in error.problems.iter().enumerate() {
        let separator = if index == 0 { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{}:{problem}", path.display());
    }
    text
}
