//! Whether the configuration was good when it was last read, and where that was.

use std::fmt::Display;

use parking_lot::Mutex;

/// The outcome of the last read; whoever follows the configuration writes it.
#[derive(Debug, Default)]
pub struct LastRead(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    source: String,
    error: Option<String>,
}

// === impl LastRead ===

impl LastRead {
    /// Notes what is read from now on, for people: a file or a ConfigMap. Nothing is noted where the defaults hold.
    pub fn begin(&self, source: String) {
        self.0.lock().source = source;
    }

    /// Notes the outcome of one more read.
    pub fn note<T>(&self, outcome: Result<T, impl Display>) {
        self.0.lock().error = outcome.err().map(|error| error.to_string());
    }

    /// What was wrong with the last read, if anything was.
    pub fn error(&self) -> Option<String> {
        self.0.lock().error.clone()
    }

    /// What is read; empty where the defaults hold.
    pub fn source(&self) -> String {
        self.0.lock().source.clone()
    }
}
