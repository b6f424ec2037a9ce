//! The configuration from a file, live.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use super::reload::{Reload, ReloadError};
use crate::config::{ConfigError, ConfigWriter, Parsed, PickerConfig, parse};

/// A configuration file that was read once and can be followed.
#[derive(Debug)]
pub struct ConfigFile(Reload<Parsed>);

/// Reads the configuration; its warnings are logged.
///
/// # Errors
/// The file is not there or not right.
pub async fn open(path: impl Into<PathBuf>) -> Result<(PickerConfig, ConfigFile), ReloadError> {
    let (parsed, file) = Reload::open(path, parse).await?;
    Ok((warned(parsed), ConfigFile(file)))
}

/// A configuration that is given as text, which never changes; its warnings are logged.
///
/// # Errors
/// The text is not right.
pub fn text(text: &str) -> Result<PickerConfig, ConfigError> {
    parse(text).map(warned)
}

impl ConfigFile {
    /// Watches a file that may not exist yet, or not be right yet. Must be called within a tokio runtime.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Reload::new(path, parse))
    }

    /// Waits for the next content; the first is that of now.
    ///
    /// # Errors
    /// The content cannot be read or is not right.
    pub async fn next(&mut self) -> Result<PickerConfig, ReloadError> {
        self.0.next().await.map(warned)
    }

    /// Publishes each later good content. `outcome` is told of each, good or bad, to count it. Never returns.
    pub async fn follow(
        self,
        writer: Arc<ConfigWriter>,
        mut outcome: impl FnMut(Result<(), &ReloadError>),
    ) -> Infallible {
        self.0.follow(|parsed| outcome(parsed.map(|parsed| writer.publish(warned(parsed))))).await
    }
}

fn warned(parsed: Parsed) -> PickerConfig {
    let Parsed { config, warnings } = parsed;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    config
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tempfile::tempdir;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;
    use crate::config::live;

    #[tokio::test]
    async fn a_good_edit_is_published_and_a_bad_one_keeps_the_last_good() {
        let directory = tempdir().expect("a directory");
        let path = directory.path().join("config.yaml");
        fs::write(&path, "scorers: {queueDepth: {weight: 3}}").expect("written");
        let (first, file) = open(&path).await.expect("a good file");
        assert_eq!(first.scorers.queue_depth.weight, 3.0);

        let (reader, writer) = live(first);
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let following = tokio::spawn(file.follow(Arc::new(writer), move |outcome| {
            let _ = sender.send(outcome.map_err(ToString::to_string));
        }));
        let mut next = async || timeout(Duration::from_secs(10), outcomes.recv()).await.expect("in time");

        fs::write(&path, "scorers: {queueDepht: {}}").expect("written");
        let error = next().await.expect("an outcome").expect_err("a bad edit");
        assert!(error.ends_with("1:11: scorers.queueDepht: unknown field (did you mean `queueDepth`?)"), "{error}");
        assert_eq!(reader.load().scorers.queue_depth.weight, 3.0);

        fs::write(&path, "scorers: {queueDepth: {weight: 4}}").expect("written");
        assert_eq!(next().await, Some(Ok(())));
        assert_eq!(reader.load().scorers.queue_depth.weight, 4.0);
        following.abort();
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_an_error_that_names_it() {
        let error = open("/nowhere/config.yaml").await.expect_err("no such file");
        assert!(error.to_string().starts_with("/nowhere/config.yaml: "), "{error}");
    }
}
