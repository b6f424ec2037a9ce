//! The configuration in a ConfigMap, and in the file that stands in for it.
//!
//! Before one good document was seen the file holds whenever the ConfigMap says nothing better. After that the last
//! good document holds, and the file counts only where the ConfigMap may not be read any more, from its next change on:
//! as it is then, it may be an older copy.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::WHAT;
use super::reads::Reads;
use super::reporter::{Report, Reporter};
use crate::cli::serve::vital::Vital;
use crate::config::{self, ConfigReader, ConfigWriter, PickerConfig};
use crate::sources::config_file::ConfigFile;
use crate::sources::kubernetes::{Cluster, ConfigMapWatch, Located, MapNews, Trouble};

/// How long the ConfigMap is waited for at the start. An API server may accept and never answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Follows the ConfigMap, with `file` beside it; the future ends once one of them was read, or after [`PATIENCE`].
pub fn follow(
    file: Option<PathBuf>,
    name: &str,
    cluster: &Cluster,
    reads: Reads,
    vital: &Vital,
) -> (ConfigReader, BoxFuture<'static, ()>) {
    let (reader, writer) = config::live(PickerConfig::default());
    let (reporter, writing) = Reporter::new(cluster);
    vital.spawn(WHAT, writing);
    let mut watch = ConfigMapWatch::new(cluster, name);
    let (name, key) = (watch.name().to_owned(), watch.key().to_owned());
    let mut follower = Follower {
        name,
        key,
        reporter,
        writer: Arc::new(writer),
        file,
        fallback: None,
        held: None,
        reads,
        vital: vital.clone(),
    };
    let (begun, read) = oneshot::channel();
    vital.spawn(WHAT, async move {
        follower.reads.watch(false);
        match timeout(PATIENCE, watch.next()).await {
            Ok(news) => follower.hear(news, watch.is_up()).await,
            Err(_) => {
                tracing::warn!(config_map = follower.name, "the API server does not answer; we keep trying");
                follower.read_file().await;
            }
        }
        // Whoever waited may be gone by now.
        let _ = begun.send(());
        loop {
            let news = watch.next().await;
            follower.hear(news, watch.is_up()).await;
        }
    });
    (reader, read.map(drop).boxed())
}

struct Follower {
    /// Of the ConfigMap.
    name: String,
    /// Of the document in it.
    key: String,
    reporter: Reporter,
    writer: Arc<ConfigWriter>,
    file: Option<PathBuf>,
    /// Follows the file while it stands in.
    fallback: Option<JoinHandle<()>>,
    /// The last good document of the ConfigMap.
    held: Option<PickerConfig>,
    reads: Reads,
    vital: Vital,
}

impl Follower {
    async fn hear(&mut self, news: MapNews, is_up: bool) {
        self.reads.watch(is_up);
        match news {
            MapNews::Document(located, text) => self.take(located, &text).await,
            MapNews::KeyMissing(located, keys) => {
                let note = format!("it has no key {}, only: {}", self.key, keys.join(", "));
                self.refuse(located, "ConfigurationMissing", note).await;
            }
            MapNews::Deleted(located) => {
                self.refuse(located, "ConfigurationDeleted", "it was deleted".to_owned()).await;
            }
            MapNews::Missing => {
                tracing::warn!(config_map = self.name, "the ConfigMap does not exist; what it says holds once it does");
                self.read_file().await;
            }
            MapNews::Unchanged => {
                if let Some(held) = self.held.clone() {
                    self.leave_file();
                    self.writer.publish(held);
                    self.reads.map_again();
                }
            }
            // Where it may not be read any more, the mounted copy is the only one that still changes.
            MapNews::Trouble(trouble) if self.held.is_none() || trouble == Trouble::Forbidden => self.read_file().await,
            MapNews::Trouble(_) => {}
        }
    }

    async fn take(&mut self, located: Located, text: &str) {
        match config::parse(text) {
            Ok(parsed) => {
                self.reads.map(&self.name, Ok::<_, String>(()));
                parsed.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                tracing::info!(config_map = located.name, version = located.resource_version, "configuration taken");
                self.reporter.say(None);
                self.leave_file();
                self.held = Some(parsed.config.clone());
                self.writer.publish(parsed.config);
            }
            Err(error) => {
                let lines: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
                self.reads.map(&self.name, Err::<(), _>(&error));
                tracing::warn!(
                    config_map = located.name,
                    version = located.resource_version,
                    error = lines.join("\n"),
                    "not taken; what was good before still holds"
                );
                self.report(located, "InvalidConfiguration", lines.join("\n"));
                self.stay().await;
            }
        }
    }

    /// Counts and says that what is there now is no configuration.
    async fn refuse(&mut self, located: Located, reason: &'static str, what: String) {
        let holds = match (&self.held, &self.file) {
            (Some(_), _) => "the last good configuration holds",
            (None, Some(_)) => "the configuration's file holds",
            (None, None) => "the built-in configuration holds",
        };
        let note = format!("{what}; {holds} until it is right");
        self.reads.map(&self.name, Err::<(), _>(&note));
        tracing::warn!(config_map = located.name, "{note}");
        self.report(located, reason, note);
        self.stay().await;
    }

    /// What was good stays in force; the file, where nothing was.
    async fn stay(&mut self) {
        if self.held.is_some() {
            self.leave_file();
        } else {
            self.read_file().await;
        }
    }

    fn report(&self, map: Located, reason: &'static str, note: String) {
        self.reporter.say(Some(Report { map, reason, note }));
    }

    /// Follows the file from now on, if there is one.
    async fn read_file(&mut self) {
        let Some(path) = self.file.clone().filter(|_| self.fallback.is_none()) else { return };
        let mut file = ConfigFile::new(&path);
        let first = file.next().await;
        if self.held.is_some() {
            tracing::warn!(path = %path.display(), "the configuration stays, and is read from its file once that changes");
        } else {
            tracing::warn!(path = %path.display(), "the configuration is read from its file meanwhile");
            self.reads.file(path.display(), first.as_ref());
            match first {
                Ok(config) => self.writer.publish(config),
                Err(error) => tracing::warn!(%error, "not taken; what was good before still holds"),
            }
        }
        let (writer, reads) = (Arc::clone(&self.writer), self.reads.clone());
        self.fallback = Some(self.vital.spawn(WHAT, async move {
            file.follow(writer, move |read| reads.file(path.display(), read)).await;
        }));
    }

    fn leave_file(&mut self) {
        if let Some(fallback) = self.fallback.take() {
            fallback.abort();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.leave_file();
    }
}

#[cfg(test)]
mod tests;
