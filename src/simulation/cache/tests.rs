use proptest::prelude::*;

use super::*;

fn hashes(numbers: impl IntoIterator<Item = u64>) -> Vec<BlockHash> {
    numbers.into_iter().map(BlockHash).collect()
}

/// One request from its admission to its end.
fn serve(cache: &mut PrefixCache, chain: &[BlockHash]) -> usize {
    let mut hold = cache.admit(chain, chain.len()).expect("room");
    let hit = hold.cached_blocks();
    cache.commit(&mut hold, chain);
    cache.release(hold);
    hit
}

#[test]
fn what_was_served_is_hit() {
    let mut cache = PrefixCache::new(8);
    assert_eq!(serve(&mut cache, &hashes(1..=4)), 0);
    assert_eq!(serve(&mut cache, &hashes(1..=6)), 4);
}

#[test]
fn tails_go_before_heads() {
    let mut cache = PrefixCache::new(4);
    serve(&mut cache, &hashes(1..=4));
    serve(&mut cache, &hashes([9]));
    assert_eq!(cache.lookup(&hashes(1..=4)), 3);
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut cache = PrefixCache::new(4);
    serve(&mut cache, &hashes([1, 2]));
    serve(&mut cache, &hashes([3, 4]));
    serve(&mut cache, &hashes([1, 2]));
    serve(&mut cache, &hashes([5, 6]));
    assert_eq!(cache.lookup(&hashes([1, 2])), 2);
    assert_eq!(cache.lookup(&hashes([3, 4])), 0);
}

#[test]
fn blocks_of_running_requests_are_never_evicted() {
    let mut cache = PrefixCache::new(4);
    let mut running = cache.admit(&hashes(1..=3), 3).expect("room");
    cache.commit(&mut running, &hashes(1..=3));
    assert!(cache.admit(&hashes([7, 8]), 2).is_none());
    serve(&mut cache, &hashes([7]));
    assert_eq!(cache.lookup(&hashes(1..=3)), 3);
    cache.release(running);
    serve(&mut cache, &hashes([7, 8]));
    assert_eq!(cache.lookup(&hashes(1..=3)), 2);
}

#[test]
fn room_that_was_never_computed_is_given_back_empty() {
    let mut cache = PrefixCache::new(4);
    let hold = cache.admit(&hashes(1..=4), 4).expect("room");
    assert_eq!(cache.in_use(), 4);
    cache.release(hold);
    assert_eq!(cache.in_use(), 0);
    assert_eq!(cache.lookup(&hashes(1..=4)), 0);
}

/// The same cache told as one list, the next to be evicted first: no map, no ticks, no counters.
#[derive(Default)]
struct Naive {
    capacity: usize,
    list: Vec<(BlockHash, u32)>,
    reserved: usize,
}

struct NaiveHold {
    chain: Vec<BlockHash>,
    reserved: usize,
}

impl Naive {
    fn position(&self, hash: BlockHash) -> Option<usize> {
        self.list.iter().position(|(held, _)| *held == hash)
    }

    fn lookup(&self, chain: &[BlockHash]) -> usize {
        chain.iter().take_while(|hash| self.position(**hash).is_some()).count()
    }

    fn in_use(&self) -> usize {
        self.list.iter().filter(|(_, pins)| *pins > 0).count() + self.reserved
    }

    fn pin(&mut self, hash: BlockHash) {
        match self.position(hash) {
            Some(position) => self.list[position].1 += 1,
            None => self.list.push((hash, 1)),
        }
    }

    fn admit(&mut self, prefix: &[BlockHash], total: usize) -> Option<NaiveHold> {
        let hit = self.lookup(prefix);
        let mut after = Naive { capacity: self.capacity, list: self.list.clone(), reserved: self.reserved };
        prefix[..hit].iter().for_each(|hash| after.pin(*hash));
        after.reserved += total - hit;
        while after.list.len() + after.reserved > after.capacity {
            let oldest = after.list.iter().position(|(_, pins)| *pins == 0)?;
            after.list.remove(oldest);
        }
        *self = after;
        Some(NaiveHold { chain: prefix[..hit].to_vec(), reserved: total - hit })
    }

    fn commit(&mut self, hold: &mut NaiveHold, computed: &[BlockHash]) {
        for hash in &computed[hold.chain.len().min(computed.len())..] {
            self.reserved -= 1;
            hold.reserved -= 1;
            self.pin(*hash);
            hold.chain.push(*hash);
        }
    }

    fn release(&mut self, hold: NaiveHold) {
        self.reserved -= hold.reserved;
        for hash in hold.chain.iter().rev() {
            let position = self.position(*hash).expect("pinned blocks stay");
            self.list[position].1 -= 1;
            if self.list[position].1 == 0 {
                let block = self.list.remove(position);
                self.list.push(block);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A prompt as a walk down a tree with few branches, so that prompts share heads.
    Admit(Vec<u8>),
    /// The share of a running request that has been computed.
    Commit(prop::sample::Index, f64),
    Release(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(0..2u8, 1..7).prop_map(Step::Admit),
        3 => (any::<prop::sample::Index>(), 0.0..=1.0).prop_map(|(which, share)| Step::Commit(which, share)),
        2 => any::<prop::sample::Index>().prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..120)
}

fn chain_of(walk: &[u8]) -> Vec<BlockHash> {
    walk.iter()
        .scan(1, |node, turn| {
            *node = *node * 2 + u64::from(*turn);
            Some(BlockHash(*node))
        })
        .collect()
}

proptest! {
    #[test]
    fn behaves_like_one_plain_list(capacity in 1usize..16, steps in steps()) {
        let mut cache = PrefixCache::new(capacity);
        let mut naive = Naive { capacity, ..Naive::default() };
        let mut running: Vec<(Vec<BlockHash>, Hold, NaiveHold)> = Vec::new();
        for step in steps {
            match step {
                Step::Admit(walk) => {
                    let chain = chain_of(&walk);
                    let (hold, expected) = (cache.admit(&chain, chain.len()), naive.admit(&chain, chain.len()));
                    prop_assert_eq!(hold.is_some(), expected.is_some());
                    if let (Some(hold), Some(expected)) = (hold, expected) {
                        prop_assert_eq!(hold.cached_blocks(), expected.chain.len());
                        running.push((chain, hold, expected));
                    }
                }
                Step::Commit(which, share) if !running.is_empty() => {
                    let which = which.index(running.len());
                    let (chain, hold, expected) = &mut running[which];
                    let computed = &chain[..(share * chain.len() as f64) as usize];
                    cache.commit(hold, computed);
                    naive.commit(expected, computed);
                }
                Step::Release(which) if !running.is_empty() => {
                    let (_, hold, expected) = running.swap_remove(which.index(running.len()));
                    cache.release(hold);
                    naive.release(expected);
                }
                Step::Commit(..) | Step::Release(_) => {}
            }
            prop_assert_eq!(cache.in_use(), naive.in_use());
            prop_assert!(cache.blocks.len() + cache.reserved <= capacity);
            prop_assert_eq!(cache.blocks.len(), naive.list.len());
            for (hash, block) in &cache.blocks {
                prop_assert_eq!(naive.position(*hash).map(|at| naive.list[at].1), Some(block.pins));
                let parent = BlockHash(hash.0 / 2);
                prop_assert!(parent.0 == 1 || cache.blocks.contains_key(&parent), "a block without its parent");
            }
        }
    }
}
