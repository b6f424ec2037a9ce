//! What a runtime carries: live connections and live streams, counted by values that count themselves out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The load of one runtime. Clones count into the same cells.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Connections that were handed over and have not ended.
    pub connections: Count,
    /// gRPC calls whose response has not ended.
    pub streams: Count,
}

/// How many [`Hold`]s of it are alive.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

/// One that is counted, until it is dropped.
#[derive(Debug)]
pub struct Hold(Count);

// === impl Load ===

impl Load {
    /// What to compare: connections first, because a new connection's streams come after it was handed over.
    pub fn rank(&self) -> (usize, usize) {
        (self.connections.get(), self.streams.get())
    }
}

// === impl Count ===

impl Count {
    /// Counts one more.
    pub fn hold(&self) -> Hold {
        self.0.fetch_add(1, Ordering::Relaxed);
        Hold(self.clone())
    }

    /// How many are held now.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Hold ===

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
