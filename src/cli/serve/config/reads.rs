//! What became of each read of the configuration, for the metrics and the admin port.

use std::fmt::Display;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cli::serve::inspect::LastRead;
use crate::cli::serve::taken;
use crate::metrics::Metrics;

/// Who is told of each read. What is wrong with a ConfigMap stays said while a file holds instead of it.
#[derive(Clone, Debug)]
pub struct Reads {
    metrics: Arc<Metrics>,
    last: Arc<LastRead>,
    map: Arc<Mutex<Map>>,
}

/// The ConfigMap as it was last read.
#[derive(Debug, Default)]
struct Map {
    source: String,
    error: Option<String>,
}

// === impl Reads ===

impl Reads {
    /// To these two.
    pub fn new(metrics: &Arc<Metrics>, last: &Arc<LastRead>) -> Self {
        Self { metrics: Arc::clone(metrics), last: Arc::clone(last), map: Arc::default() }
    }

    /// Notes whether the watch on the ConfigMap is up.
    pub fn watch(&self, up: bool) {
        self.metrics.watches.get_or_create(&[("watch", "configmaps")]).set(up.into());
    }

    /// Notes one read of a file.
    pub fn file<T, E: Display>(&self, path: impl Display, read: Result<T, E>) {
        self.metrics.config_reloads.of(taken(&read)).inc();
        // A good file says nothing of the ConfigMap that it stands in for.
        if self.map.lock().error.is_none() {
            self.show(path.to_string(), read.err().map(|error| error.to_string()));
        }
    }

    /// Notes one read of the ConfigMap of this name.
    pub fn map<T, E: Display>(&self, name: &str, read: Result<T, E>) {
        self.metrics.config_reloads.of(taken(&read)).inc();
        let map = Map { source: format!("ConfigMap {name}"), error: read.err().map(|error| error.to_string()) };
        *self.map.lock() = map;
        self.map_again();
    }

    /// Notes that the ConfigMap is in force again as it was last read.
    pub fn map_again(&self) {
        let map = self.map.lock();
        self.show(map.source.clone(), map.error.clone());
    }

    fn show(&self, source: String, error: Option<String>) {
        self.metrics.config_good.set(error.is_none().into());
        self.last.begin(source);
        self.last.note(error.map_or(Ok(()), Err));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown: the source, whether it is good, the counts of good and of bad reads.
    fn shown(reads: &Reads) -> (String, i64, [u64; 2]) {
        use crate::metrics::Taken;
        let counts = [Taken::Good, Taken::Bad].map(|read| reads.metrics.config_reloads.of(read).get());
        (reads.last.source(), reads.metrics.config_good.get(), counts)
    }

    #[test]
    fn a_bad_configmap_stays_said_while_a_good_file_stands_in() {
        let reads = Reads::new(&Arc::default(), &Arc::default());
        assert_eq!(shown(&reads), (String::new(), 1, [0, 0]), "with the defaults all is well");
        reads.map("m", Err::<(), _>("bad"));
        reads.file("f", Ok::<_, String>(()));
        assert_eq!(shown(&reads), ("ConfigMap m".into(), 0, [1, 1]));
        assert_eq!(reads.last.error().as_deref(), Some("bad"));
        reads.map("m", Ok::<_, String>(()));
        assert_eq!(shown(&reads), ("ConfigMap m".into(), 1, [2, 1]));
    }

    #[test]
    fn a_file_that_is_read_for_a_good_configmap_shows_until_that_is_read_again() {
        let reads = Reads::new(&Arc::default(), &Arc::default());
        reads.map("m", Ok::<_, String>(()));
        reads.file("f", Err::<(), _>("bad"));
        assert_eq!(shown(&reads), ("f".into(), 0, [1, 1]));
        reads.map_again();
        assert_eq!(shown(&reads), ("ConfigMap m".into(), 1, [1, 1]), "it is in force, and was not read");
    }
}
