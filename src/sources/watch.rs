//! The content of a file, each time it changes.
//!
//! What is watched is the file's directory, so that an editor's rename and the symlink swap of a
//! mounted ConfigMap are seen, and a file that does not exist yet. Beneath lies a slow look at the
//! content itself, for file systems that tell nothing.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// Editors and the kubelet touch a file several times for one change: wait this long for the next.
const SETTLE: Duration = Duration::from_millis(50);

/// How often to look without being told: a change must take effect within about a second.
const LOOK: Duration = Duration::from_secs(1);

/// A file whose content is wanted each time it changes.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    seen: Option<io::Result<String>>,
    touched: Arc<Notify>,
    look: Interval,
    watcher: Option<RecommendedWatcher>,
}

impl FileWatch {
    /// Watches a file that may not exist yet. Must be called within a tokio runtime.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::looking_every(LOOK, path.into())
    }

    fn looking_every(period: Duration, path: PathBuf) -> Self {
        let mut look = interval(period);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = Self { path, seen: None, touched: Arc::new(Notify::new()), look, watcher: None };
        watch.arm();
        watch
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the content differs from what the last call returned; the first returns at once.
    ///
    /// Dropping the future loses nothing: the next call sees what is there then.
    ///
    /// # Errors
    /// The file cannot be read, once for each kind of failure in a row.
    pub async fn changed(&mut self) -> io::Result<String> {
        loop {
            tokio::select! {
                () = self.touched.notified() => {}
                _ = self.look.tick() => self.arm(),
            }
            let mut content = self.read().await;
            // Half a file is not a content: after the first, two looks in a row must agree.
            while let Some(seen) = &self.seen
                && !same(seen, &content)
            {
                sleep(SETTLE).await;
                let again = self.read().await;
                if same(&again, &content) {
                    break;
                }
                content = again;
            }
            if self.seen.as_ref().is_some_and(|seen| same(seen, &content)) {
                continue;
            }
            self.seen = Some(content.as_ref().map(String::clone).map_err(|error| error.kind().into()));
            return content;
        }
    }

    async fn read(&self) -> io::Result<String> {
        tokio::fs::read_to_string(&self.path).await
    }

    /// Starts listening to the directory, if it is there and nothing listens yet.
    fn arm(&mut self) {
        if self.watcher.is_some() {
            return;
        }
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let (touched, name) = (Arc::clone(&self.touched), self.path.file_name().map(OsStr::to_owned));
        let armed = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may hide a change, so it counts as one.
            if event.map_or(true, |event| concerns(&event, name.as_deref())) {
                touched.notify_one();
            }
        })
        .and_then(|mut watcher| watcher.watch(directory, RecursiveMode::NonRecursive).map(|()| watcher));
        match armed {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => tracing::debug!(path = %self.path.display(), %error, "no file events; looking every second"),
        }
    }
}

fn same(one: &io::Result<String>, other: &io::Result<String>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one == other,
        (Err(one), Err(other)) => one.kind() == other.kind(),
        _ => false,
    }
}

/// Whether an event in the directory may have changed the file. Reading it is an event too, our own above all.
fn concerns(event: &Event, name: Option<&OsStr>) -> bool {
    let reading = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    // A mounted ConfigMap keeps its files in a directory that the symlink `..data` points to.
    let ours = |path: &PathBuf| {
        path.file_name().is_none_or(|changed| Some(changed) == name || changed.as_encoded_bytes().starts_with(b".."))
    };
    !reading && (event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(ours))
}

#[cfg(test)]
mod tests;
