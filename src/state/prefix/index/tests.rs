use super::*;
use proptest::prelude::*;

const SLOTS: usize = 70;

fn depths(index: &PrefixIndex, chain: &[u64]) -> Vec<u32> {
    let mut depths = vec![0; SLOTS];
    index.depths(chain, &mut depths, &mut Scratch::default());
    depths
}

/// A chain that shares its first `shared` blocks with every chain of the same `root`.
fn chain(root: u64, shared: usize, branch: u64, len: usize) -> Vec<u64> {
    let block = |depth: usize| {
        if depth < shared { root * 1_000 + depth as u64 } else { (root * 100 + branch + 1) * 1_000_000 + depth as u64 }
    };
    (0..len).map(block).collect()
}

#[test]
fn a_chain_is_found_as_deep_as_it_was_recorded() {
    let index = PrefixIndex::default();
    let lanes = [Lane::new(3), Lane::new(68)];
    let long = chain(1, 100, 0, 100);
    index.record(&lanes[0], &long[..40], 1000);
    index.record(&lanes[1], &long, 1000);
    let depths = depths(&index, &long);
    assert_eq!((depths[3], depths[68], depths[0]), (40, 100, 0));
}

#[test]
fn tails_age_before_heads() {
    let index = PrefixIndex::default();
    let lane = Lane::new(0);
    let first = chain(1, 0, 0, 10);
    index.record(&lane, &first, 15);
    index.record(&lane, &chain(2, 0, 0, 10), 15);
    assert_eq!((lane.len(), depths(&index, &first)[0]), (15, 5));
}

#[test]
fn a_hit_makes_the_whole_chain_young() {
    let index = PrefixIndex::default();
    let lane = Lane::new(0);
    let (first, second) = (chain(1, 0, 0, 5), chain(2, 0, 0, 5));
    index.record(&lane, &first, 10);
    index.record(&lane, &second, 10);
    index.record(&lane, &first, 10);
    index.record(&lane, &chain(3, 0, 0, 5), 10);
    assert_eq!((depths(&index, &first)[0], depths(&index, &second)[0]), (5, 0));
}

#[test]
fn a_closed_lane_takes_nothing_any_more() {
    let index = PrefixIndex::default();
    let lane = Lane::new(0);
    let chain = chain(1, 0, 0, 5);
    index.record(&lane, &chain, 10);
    index.forget(&lane, true);
    index.record(&lane, &chain, 10);
    assert_eq!((lane.len(), depths(&index, &chain)[0]), (0, 0));
    assert!(index.table.is_empty());
}

/// A naive model: per slot the blocks by age.
#[derive(Default)]
struct Model {
    lanes: Vec<Vec<u64>>,
}

impl Model {
    fn record(&mut self, slot: usize, chain: &[u64], capacity: usize) {
        let chain = &chain[..chain.len().min(capacity)];
        let lane = &mut self.lanes[slot];
        for hash in chain.iter().rev() {
            lane.retain(|held| held != hash);
            lane.insert(0, *hash);
        }
        lane.truncate(capacity);
    }

    fn depth(&self, slot: usize, chain: &[u64]) -> u32 {
        u32::try_from(chain.iter().take_while(|hash| self.lanes[slot].contains(hash)).count()).expect("small")
    }
}

proptest! {
    #[test]
    fn agrees_with_a_naive_model(
        capacity in 1usize..60,
        steps in prop::collection::vec((0usize..4, 0u64..3, 0usize..20, 0u64..4, 0usize..40, 0u8..10), 1..60),
    ) {
        let index = PrefixIndex::default();
        let lanes: Vec<Lane> = (0..4).map(Lane::new).collect();
        let mut model = Model { lanes: vec![Vec::new(); 4] };
        for (slot, root, shared, branch, len, action) in steps {
            // Chains of one root share the same head, as chained hashes do.
            let chain = chain(root, 12, branch, len.max(shared));
            match action {
                0 => {
                    index.forget(&lanes[slot], false);
                    model.lanes[slot].clear();
                }
                _ => {
                    index.record(&lanes[slot], &chain, capacity);
                    model.record(slot, &chain, capacity);
                }
            }
            let depths = depths(&index, &chain);
            for slot in 0..4 {
                prop_assert_eq!(depths[slot], model.depth(slot, &chain), "slot {}", slot);
                prop_assert_eq!(lanes[slot].len(), model.lanes[slot].len());
                prop_assert!(lanes[slot].len() <= capacity);
            }
        }
    }
}

#[test]
fn a_long_chain_is_taken_back_a_few_blocks_at_a_time_and_told_as_it_goes() {
    let (index, lane) = (PrefixIndex::default(), Lane::new(0));
    let chain: Vec<u64> = (1..=600).collect();
    index.record(&lane, &chain, 1_000);
    let mut told = Vec::new();
    index.retract(&lane, &chain, |few| told.push(few.to_vec()));
    assert!(told.iter().all(|few| few.len() <= FORGOTTEN_AT_ONCE) && told.concat() == chain && lane.is_empty());
}
