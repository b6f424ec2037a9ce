//! Whether the configuration file was good when it was last read.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// The outcome of the last read; whoever follows the file writes it.
#[derive(Debug, Default)]
pub struct LastRead {
    file: Option<PathBuf>,
    error: Mutex<Option<String>>,
}

// === impl LastRead ===

impl LastRead {
    /// Of this file, read well for the first time; without one the defaults hold.
    pub fn new(file: Option<&Path>) -> Self {
        Self { file: file.map(Path::to_owned), error: Mutex::default() }
    }

    /// Notes the outcome of one more read.
    pub fn note(&self, outcome: Result<(), impl ToString>) {
        *self.error.lock() = outcome.err().map(|error| error.to_string());
    }

    /// What was wrong with the last read, if anything was.
    pub fn error(&self) -> Option<String> {
        self.error.lock().clone()
    }

    /// The file, if one is followed.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}
