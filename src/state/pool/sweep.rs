//! Forgets the blocks of endpoints that have left, beside everything else, and then gives their slots back.
//!
//! A lane may hold millions of blocks. Whoever replaces the pool also answers probes, so it does not wait for this.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::state::prefix::{Lane, PrefixIndex};

/// The sweeps under way; each ends with the slots that it has freed.
#[derive(Debug, Default)]
pub struct Sweeps {
    running: Vec<JoinHandle<Vec<u32>>>,
}

impl Sweeps {
    /// Closes these lanes and forgets their blocks.
    pub fn start(&mut self, index: &Arc<PrefixIndex>, lanes: Vec<Arc<Lane>>) {
        if lanes.is_empty() {
            return;
        }
        let index = Arc::clone(index);
        let sweep = move || {
            // A slot is given away only now, so that nobody finds its blocks under another's name.
            let forget = |lane: Arc<Lane>| {
                index.forget(&lane, true);
                lane.slot()
            };
            lanes.into_iter().map(forget).collect()
        };
        match thread::Builder::new().name("sweep".to_owned()).spawn(sweep) {
            Ok(sweep) => self.running.push(sweep),
            // Their slots are never used again, and so nobody can inherit what they hold.
            Err(error) => tracing::warn!(%error, "no thread forgets the blocks of endpoints that have left"),
        }
    }

    /// Slots that are free by now.
    pub fn freed(&mut self) -> impl Iterator<Item = u32> {
        // One that panicked keeps its slots for good.
        self.running.extract_if(.., |sweep| sweep.is_finished()).flat_map(|sweep| sweep.join().unwrap_or_default())
    }

    /// Waits for those under way and returns their slots.
    pub fn wait(&mut self) -> Vec<u32> {
        self.running.drain(..).flat_map(|sweep| sweep.join().unwrap_or_default()).collect()
    }
}
