//! An engine's prefix cache: which blocks it holds, which of them running requests use, which go next.
//!
//! A request takes its room with [`PrefixCache::admit`], turns it into blocks that others can hit with
//! [`PrefixCache::commit`] and gives it back with [`PrefixCache::release`]. Blocks stay after that until
//! their room is needed; then the least recently used goes first, of one request its tail before its
//! head, because a tail is worth nothing without its head. So a cached block's parent is always cached.

use std::collections::{BTreeMap, HashMap};

use super::blocks::BlockHash;

/// The cache; its capacity counts blocks.
#[derive(Debug)]
pub struct PrefixCache {
    capacity: usize,
    blocks: HashMap<BlockHash, Block, ahash::RandomState>,
    /// Blocks that nobody uses, the next to be evicted first.
    idle: BTreeMap<u64, BlockHash>,
    /// Room that running requests have taken and not committed yet.
    reserved: usize,
    /// Counts releases, the cache's only notion of time.
    ticks: u64,
}

#[derive(Debug, Default)]
struct Block {
    pins: u32,
    /// Its key in `idle`; means nothing while it is pinned.
    idle_since: u64,
}

/// The room of one running request; give it back with [`PrefixCache::release`].
#[derive(Debug)]
#[must_use = "room that is not released stays taken"]
pub struct Hold {
    /// Its blocks in the cache, from the head.
    pinned: Vec<BlockHash>,
    reserved: usize,
}

impl Hold {
    /// Blocks of its chain that are in the cache.
    pub fn cached_blocks(&self) -> usize {
        self.pinned.len()
    }
}

// === impl PrefixCache ===

impl PrefixCache {
    /// An empty cache for so many blocks.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, blocks: HashMap::default(), idle: BTreeMap::new(), reserved: 0, ticks: 0 }
    }

    /// Takes room for `total` blocks and pins those of `prefix` that are cached, from its head.
    ///
    /// `None` when running requests leave too little room; nothing has changed then.
    pub fn admit(&mut self, prefix: &[BlockHash], total: usize) -> Option<Hold> {
        let hit = self.lookup(prefix).min(total);
        let idle_hits = prefix[..hit].iter().filter(|hash| self.blocks[hash].pins == 0).count();
        let reserved = total - hit;
        if reserved > self.capacity - self.in_use() - idle_hits {
            return None;
        }
        for hash in &prefix[..hit] {
            self.pin(*hash);
        }
        self.reserved += reserved;
        while self.blocks.len() + self.reserved > self.capacity {
            let Some((_, oldest)) = self.idle.pop_first() else { break };
            self.blocks.remove(&oldest);
        }
        Some(Hold { pinned: prefix[..hit].to_vec(), reserved })
    }

    /// Makes the computed part of a request's chain available to others; beyond its room nothing is kept.
    pub fn commit(&mut self, hold: &mut Hold, computed: &[BlockHash]) {
        let fresh = computed.iter().skip(hold.pinned.len()).take(hold.reserved);
        for hash in fresh.copied().collect::<Vec<_>>() {
            hold.reserved -= 1;
            self.reserved -= 1;
            self.pin(hash);
            hold.pinned.push(hash);
        }
    }

    /// Gives a request's room back; its blocks stay until others need the room.
    pub fn release(&mut self, hold: Hold) {
        self.reserved -= hold.reserved;
        for hash in hold.pinned.into_iter().rev() {
            let Some(block) = self.blocks.get_mut(&hash) else { continue };
            block.pins -= 1;
            if block.pins == 0 {
                self.ticks += 1;
                block.idle_since = self.ticks;
                self.idle.insert(self.ticks, hash);
            }
        }
    }

    /// How many blocks of a chain are cached, from its head.
    pub fn lookup(&self, chain: &[BlockHash]) -> usize {
        chain.iter().take_while(|hash| self.blocks.contains_key(hash)).count()
    }

    /// Blocks that running requests use, committed or not.
    pub fn in_use(&self) -> usize {
        self.blocks.len() - self.idle.len() + self.reserved
    }

    /// Blocks that the cache has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn pin(&mut self, hash: BlockHash) {
        let block = self.blocks.entry(hash).or_default();
        if block.pins == 0 {
            self.idle.remove(&block.idle_since);
        }
        block.pins += 1;
    }
}

#[cfg(test)]
mod tests;
