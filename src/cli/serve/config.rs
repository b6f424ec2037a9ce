//! Where the configuration comes from: a file, a ConfigMap, or the built-in defaults.

use std::convert::Infallible;
use std::env;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::inspect::LastRead;
use super::taken;
use crate::config::{self, ConfigReader, ConfigWriter, PickerConfig};
use crate::metrics::Metrics;
use crate::sources::config_file::{self, ConfigFile};
use crate::sources::kubernetes::{Cluster, ConfigMapWatch, Events, Located, MapNews, Trouble};

/// How long the ConfigMap is waited for at the start. An API server may accept and never answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Events that wait to be written; more than that in a row say nothing new.
const EVENTS: usize = 8;

/// Who is told of each read: the metrics and the admin port.
#[derive(Clone, Debug)]
pub struct Reads {
    metrics: Arc<Metrics>,
    last: Arc<LastRead>,
}

/// Follows the configuration, wherever it comes from; the future ends once it was read, or takes too long.
///
/// # Errors
/// The file is not there or not right, and there is no ConfigMap that could say it better.
pub async fn follow(
    file: Option<PathBuf>,
    config_map: Option<&str>,
    cluster: Option<&Cluster>,
    reads: Reads,
) -> anyhow::Result<(ConfigReader, BoxFuture<'static, ()>)> {
    if let (Some(name), Some(cluster)) = (config_map, cluster) {
        return Ok(follow_map(file, name, cluster, reads));
    }
    let read = ready(()).boxed();
    let Some(path) = file else { return Ok((config::live(PickerConfig::default()).0, read)) };
    let (initial, file) =
        config_file::open(&path).await.with_context(|| format!("--config-file {}", path.display()))?;
    reads.begin(path.display());
    reads.note(Ok::<_, Infallible>(()));
    let (reader, writer) = config::live(initial);
    tokio::spawn(file.follow(Arc::new(writer), move |read| reads.note(read)));
    Ok((reader, read))
}

fn follow_map(
    file: Option<PathBuf>,
    name: &str,
    cluster: &Cluster,
    reads: Reads,
) -> (ConfigReader, BoxFuture<'static, ()>) {
    let (reader, writer) = config::live(PickerConfig::default());
    let (events, mut waiting) = mpsc::channel::<Report>(EVENTS);
    // In a pod the host's name is the pod's.
    let instance = env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "homing".to_owned());
    let mut recorder = Events::new(cluster.clone(), instance);
    tokio::spawn(async move {
        while let Some(Report { map, reason, note }) = waiting.recv().await {
            recorder.warn(&map, reason, &note).await;
        }
    });
    let mut follower = Follower {
        watch: ConfigMapWatch::new(cluster, name),
        events,
        writer: Arc::new(writer),
        file,
        fallback: None,
        found: false,
        reads,
    };
    let (begun, read) = oneshot::channel();
    tokio::spawn(async move {
        follower.begin().await;
        // Whoever waited may be gone by now.
        let _ = begun.send(());
        loop {
            follower.step().await;
        }
    });
    (reader, read.map(drop).boxed())
}

impl Reads {
    /// To these two.
    pub fn new(metrics: &Arc<Metrics>, last: &Arc<LastRead>) -> Self {
        Self { metrics: Arc::clone(metrics), last: Arc::clone(last) }
    }

    /// What is read from now on.
    fn begin(&self, source: impl Display) {
        self.last.begin(source.to_string());
    }

    fn note<T, E: Display>(&self, read: Result<T, E>) {
        self.metrics.config_reloads.of(taken(&read)).inc();
        self.last.note(read);
    }
}

/// A Kubernetes Event to be written.
struct Report {
    map: Located,
    reason: &'static str,
    note: String,
}

struct Follower {
    watch: ConfigMapWatch,
    events: mpsc::Sender<Report>,
    writer: Arc<ConfigWriter>,
    file: Option<PathBuf>,
    /// Follows the file while the ConfigMap cannot be read.
    fallback: Option<JoinHandle<()>>,
    /// Whether the ConfigMap was ever read.
    found: bool,
    reads: Reads,
}

impl Follower {
    /// Takes the first news, or reads the file while they do not come.
    async fn begin(&mut self) {
        match timeout(PATIENCE, self.watch.next()).await {
            Ok(news) => self.hear(news).await,
            Err(_) => {
                tracing::warn!(config_map = self.watch.name(), "the API server does not answer; we keep trying");
                self.read_file().await;
            }
        }
    }

    async fn step(&mut self) {
        let news = self.watch.next().await;
        self.hear(news).await;
    }

    async fn hear(&mut self, news: MapNews) {
        self.reads.metrics.watches.get_or_create(&[("watch", "configmaps")]).set(self.watch.is_up().into());
        let name = self.watch.name().to_owned();
        match news {
            MapNews::Document(located, text) => {
                self.leave_file();
                self.reads.begin(format_args!("ConfigMap {name}"));
                self.found = true;
                self.take(located, &text);
            }
            MapNews::KeyMissing(located, keys) => {
                let key = self.watch.key();
                let note = format!("it has no key {key}, only: {}; the last good configuration holds", keys.join(", "));
                self.refuse(located, "ConfigurationMissing", note);
            }
            MapNews::Deleted(located) => {
                let note = "it was deleted; the last good configuration holds until it is there again".to_owned();
                self.refuse(located, "ConfigurationDeleted", note);
            }
            MapNews::Missing => {
                tracing::warn!(config_map = name, "the ConfigMap does not exist; what it says holds once it does");
                self.read_file().await;
            }
            // Where it may not be read any more, the mounted copy is the only one that still changes.
            MapNews::Trouble(trouble) if !self.found || trouble == Trouble::Forbidden => self.read_file().await,
            MapNews::Trouble(_) => {}
        }
    }

    fn take(&mut self, located: Located, text: &str) {
        let parsed = config::parse(text);
        self.reads.note(parsed.as_ref());
        match parsed {
            Ok(parsed) => {
                parsed.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                tracing::info!(config_map = located.name, version = located.resource_version, "configuration taken");
                self.writer.publish(parsed.config);
            }
            Err(error) => {
                let lines: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
                tracing::warn!(
                    config_map = located.name,
                    version = located.resource_version,
                    error = lines.join("\n"),
                    "not taken; what was good before still holds"
                );
                self.report(located, "InvalidConfiguration", lines.join("\n"));
            }
        }
    }

    /// Counts and says that what is there now is no configuration.
    fn refuse(&mut self, located: Located, reason: &'static str, note: String) {
        self.reads.note(Err::<(), _>(&note));
        tracing::warn!(config_map = located.name, "{note}");
        self.report(located, reason, note);
    }

    fn report(&self, map: Located, reason: &'static str, note: String) {
        if self.events.try_send(Report { map, reason, note }).is_err() {
            tracing::debug!("too many Events wait to be written");
        }
    }

    /// Follows the file from now on, if there is one.
    async fn read_file(&mut self) {
        let Some(path) = self.file.clone().filter(|_| self.fallback.is_none()) else { return };
        tracing::warn!(path = %path.display(), "the configuration is read from its file meanwhile");
        let mut file = ConfigFile::new(&path);
        self.reads.begin(path.display());
        let first = file.next().await;
        self.reads.note(first.as_ref());
        match first {
            Ok(config) => self.writer.publish(config),
            Err(error) => tracing::warn!(%error, "not taken; what was good before still holds"),
        }
        let (writer, reads) = (Arc::clone(&self.writer), self.reads.clone());
        self.fallback = Some(tokio::spawn(async move {
            file.follow(writer, move |read| reads.note(read)).await;
        }));
    }

    fn leave_file(&mut self) {
        if let Some(fallback) = self.fallback.take() {
            fallback.abort();
        }
    }
}
