//! One endpoint's blocks by age: which it holds, and which it would evict next.

mod evict;
mod runs;
mod slab;
mod touch;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::config::PrefixIndex as PrefixIndexConfig;
use crate::model::EngineReport;

pub use runs::{Mark, NIL, Runs};

/// No lane grows beyond this, whatever an engine says: 2 GiB of prompts. That is some 120 MB of index where prompts are
/// long, and up to 470 MB where each has one block of its own.
const MAX_BLOCKS: usize = 1 << 22;

/// Bytes of one block that no other endpoint has: some 18 of the table and 8 of its hash.
const BYTES_PER_BLOCK: usize = 26;
/// Bytes of one run, of which a prompt makes one or a few: the run, and where it begins.
const BYTES_PER_RUN: usize = 68;
/// Bytes of where one run ends, which is known where others tell.
const BYTES_PER_TAIL: usize = 17;

/// The blocks of one endpoint. Written after picks, under its own lock; picks never read it.
#[derive(Debug)]
pub struct Lane {
    slot: u32,
    /// Tokens of the engine's KV cache; 0 until it says.
    cache_tokens: AtomicU64,
    /// Tokens of one block of that cache; 0 until it says.
    block_tokens: AtomicU64,
    /// Start of the engine's process in unix milliseconds; 0 until it says.
    process_start: AtomicU64,
    pub(super) runs: Mutex<Runs>,
}

// === impl Lane ===

impl Lane {
    /// An empty lane for the endpoint in `slot`.
    pub fn new(slot: u32) -> Self {
        Self {
            slot,
            cache_tokens: AtomicU64::new(0),
            block_tokens: AtomicU64::new(0),
            process_start: AtomicU64::new(0),
            runs: Mutex::default(),
        }
    }

    /// The slot that stands for it in sets of holders.
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Takes in what the engine says of its cache; returns whether it restarted since it last said.
    pub fn observe(&self, report: &EngineReport) -> bool {
        if let Some(tokens) = report.cache_tokens() {
            self.cache_tokens.store(tokens, Relaxed);
        }
        if let Some(tokens) = report.block_tokens {
            self.block_tokens.store(tokens, Relaxed);
        }
        let Some(start) = report.process_start.filter(|start| *start > 0.0) else { return false };
        let start = (start * 1000.0) as u64;
        let before = self.process_start.swap(start, Relaxed);
        before != 0 && start > before
    }

    /// Blocks that the endpoint's cache can hold: as it says, else as configured. At least 1.
    pub fn capacity_blocks(&self, config: &PrefixIndexConfig, bytes_per_token: f64) -> usize {
        let told = self.cache_tokens.load(Relaxed);
        let tokens = if told > 0 { told } else { config.default_cache_tokens };
        ((tokens as f64 * bytes_per_token / config.block_bytes as f64) as usize).clamp(1, MAX_BLOCKS)
    }

    /// The same for what was told before its engine was first asked: it may hold more than is configured, and what is too
    /// much goes with the next credit.
    pub fn capacity_of_history(&self, config: &PrefixIndexConfig, bytes_per_token: f64) -> usize {
        if self.cache_tokens.load(Relaxed) > 0 { self.capacity_blocks(config, bytes_per_token) } else { MAX_BLOCKS }
    }

    /// Tokens of one block of the engine's cache, if it says.
    pub fn engine_block_tokens(&self) -> Option<u64> {
        Some(self.block_tokens.load(Relaxed)).filter(|tokens| *tokens > 0)
    }

    /// Blocks held now.
    pub fn len(&self) -> usize {
        self.runs.lock().len()
    }

    /// Estimated bytes that its blocks take, here and in the index; less where other endpoints hold them too. An estimate
    /// for the gauge, not an accounting: tests/memory.rs holds it against what is asked of the allocator.
    pub fn bytes(&self) -> usize {
        let runs = self.runs.lock();
        let tails = if runs.keeps_tails() { BYTES_PER_TAIL } else { 0 };
        runs.len() * BYTES_PER_BLOCK + runs.count() * (BYTES_PER_RUN + tails)
    }

    /// Keeps everybody else from its blocks for as long as this is held.
    #[cfg(test)]
    pub fn hold(&self) -> impl Sized + '_ {
        self.runs.lock()
    }

    /// All that it holds, the newest first.
    #[cfg(test)]
    pub fn by_age(&self) -> Vec<u64> {
        self.runs.lock().by_age()
    }

    /// Panics where its parts disagree; returns whether all that follows something is older than that.
    #[cfg(test)]
    pub fn check(&self) -> bool {
        self.runs.lock().check()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
