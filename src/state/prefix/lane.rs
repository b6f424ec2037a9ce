//! One endpoint's blocks by age: which it holds, and which it would evict next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::config::PrefixIndex as PrefixIndexConfig;
use crate::model::EngineReport;

/// No lane grows beyond this, whatever an engine says: 2 GiB of prompts, and some 400 MB of index.
const MAX_BLOCKS: usize = 1 << 22;
/// No block.
const NIL: u32 = u32::MAX;
/// What stands for the parent of a chain's head.
pub const NO_PARENT: u64 = 0;

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
    pub(super) blocks: Mutex<Blocks>,
}

/// A least-recently-used list in a slab, with a map from hash to place.
#[derive(Debug)]
pub struct Blocks {
    places: HashMap<u64, u32, ahash::RandomState>,
    slab: Vec<Node>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    /// Gone: its endpoint left the pool, and nothing may be credited to it again.
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    hash: u64,
    /// The block before it in its chain; [`NO_PARENT`] of a head.
    parent: u64,
    newer: u32,
    older: u32,
    /// In which generation of news others were last told of it.
    told: u32,
}

/// What a touch found.
#[derive(Clone, Copy, Debug)]
pub struct Touched {
    /// Whether the block was not held before.
    pub is_new: bool,
    /// Whether others were told of it in this generation.
    pub was_told: bool,
}

// === impl Lane ===

impl Lane {
    /// An empty lane for the endpoint in `slot`.
    pub fn new(slot: u32) -> Self {
        let blocks = Blocks {
            places: HashMap::default(),
            slab: Vec::new(),
            free: Vec::new(),
            newest: NIL,
            oldest: NIL,
            closed: false,
        };
        Self {
            slot,
            cache_tokens: AtomicU64::new(0),
            block_tokens: AtomicU64::new(0),
            process_start: AtomicU64::new(0),
            blocks: Mutex::new(blocks),
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

    /// Tokens of one block of the engine's cache, if it says.
    pub fn engine_block_tokens(&self) -> Option<u64> {
        Some(self.block_tokens.load(Relaxed)).filter(|tokens| *tokens > 0)
    }

    /// Blocks held now.
    pub fn len(&self) -> usize {
        self.blocks.lock().places.len()
    }

    /// Keeps everybody else from its blocks for as long as this is held.
    #[cfg(test)]
    pub fn hold(&self) -> impl Sized + '_ {
        self.blocks.lock()
    }

    /// All that it holds, the newest first.
    #[cfg(test)]
    pub fn by_age(&self) -> Vec<u64> {
        let blocks = self.blocks.lock();
        let mut place = blocks.newest;
        std::iter::from_fn(|| {
            let node = blocks.slab.get(place as usize)?;
            place = node.older;
            Some(node.hash)
        })
        .collect()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Blocks ===

impl Blocks {
    /// Blocks held now.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the endpoint has left the pool.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Makes `hash`, which follows `parent`, the newest; others are told of it in this generation.
    pub fn touch(&mut self, hash: u64, parent: u64, generation: u32) -> Touched {
        if let Some(&place) = self.places.get(&hash) {
            self.unlink(place);
            self.link_newest(place);
            let told = std::mem::replace(&mut self.slab[place as usize].told, generation);
            return Touched { is_new: false, was_told: told == generation };
        }
        let node = Node { hash, parent, newer: NIL, older: NIL, told: generation };
        let place = match self.free.pop() {
            Some(place) => {
                self.slab[place as usize] = node;
                place
            }
            None => {
                self.slab.push(node);
                u32::try_from(self.slab.len() - 1).expect("a lane's capacity is far below 2^32 blocks")
            }
        };
        self.places.insert(hash, place);
        self.link_newest(place);
        Touched { is_new: true, was_told: false }
    }

    /// Makes `hash` the newest and returns the block before it; `None` where it is not held.
    pub fn renew(&mut self, hash: u64) -> Option<u64> {
        let place = *self.places.get(&hash)?;
        self.unlink(place);
        self.link_newest(place);
        Some(self.slab[place as usize].parent)
    }

    /// Whether `hash` is held.
    pub fn holds(&self, hash: u64) -> bool {
        self.places.contains_key(&hash)
    }

    /// Takes the oldest block out.
    pub fn evict(&mut self) -> Option<u64> {
        let node = *self.slab.get(self.oldest as usize)?;
        self.remove(node.hash);
        Some(node.hash)
    }

    /// Takes one block out; returns whether it was held.
    pub fn remove(&mut self, hash: u64) -> bool {
        let Some(place) = self.places.remove(&hash) else { return false };
        self.unlink(place);
        self.free.push(place);
        true
    }

    /// Takes nothing in any more if `close`.
    pub fn closing(&mut self, close: bool) -> &Self {
        self.closed |= close;
        self
    }

    fn link_newest(&mut self, place: u32) {
        let before = self.newest;
        self.slab[place as usize].older = before;
        self.slab[place as usize].newer = NIL;
        match self.slab.get_mut(before as usize) {
            Some(node) => node.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }

    fn unlink(&mut self, place: u32) {
        let Node { newer, older, .. } = self.slab[place as usize];
        match self.slab.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.slab.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }
}
