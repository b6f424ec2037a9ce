use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

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
fn a_cache_that_is_smaller_than_it_was_is_followed_a_few_blocks_at_a_time() {
    let (index, lane) = (PrefixIndex::default(), Lane::new(0));
    for root in 0..10 {
        index.record(&lane, &chain(root, 0, 0, 1_000), 20_000);
    }
    let held = [10, 10, 0].map(|len| {
        index.record(&lane, &chain(20, 10, 0, len), 1_000);
        lane.len()
    });
    assert_eq!(
        held,
        [10_000 - FORGOTTEN_AT_ONCE, 10_000 - 2 * FORGOTTEN_AT_ONCE - 10, 10_000 - 3 * FORGOTTEN_AT_ONCE - 10]
    );
    for _ in 0..100 {
        index.record(&lane, &chain(20, 10, 0, 10), 1_000);
    }
    assert_eq!(lane.len(), 1_000);
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

/// A naive model: per slot every block by the time of its last touch, and what each follows.
struct Model {
    lanes: Vec<Ages>,
    parents: HashMap<u64, u64>,
}

#[derive(Clone, Default)]
struct Ages {
    /// When and by which credit.
    touched: HashMap<u64, (u64, u32)>,
    by_time: BTreeMap<u64, u64>,
    now: u64,
}

impl Ages {
    fn touch(&mut self, hash: u64, credit: u32) {
        self.remove(hash);
        self.now += 1;
        self.touched.insert(hash, (self.now, credit));
        self.by_time.insert(self.now, hash);
    }

    fn remove(&mut self, hash: u64) {
        if let Some((time, _)) = self.touched.remove(&hash) {
            self.by_time.remove(&time);
        }
    }

    fn by_age(&self) -> Vec<u64> {
        self.by_time.values().rev().copied().collect()
    }
}

impl Model {
    fn new(slots: usize) -> Self {
        Self { lanes: vec![Ages::default(); slots], parents: HashMap::new() }
    }

    fn record(&mut self, slot: usize, chain: &[u64], capacity: usize, credit: u32) {
        let chain = &chain[..chain.len().min(capacity)];
        self.parents.extend(chain.windows(2).map(|pair| (pair[1], pair[0])));
        let lane = &mut self.lanes[slot];
        chain.iter().rev().for_each(|hash| lane.touch(*hash, credit));
        while lane.touched.len() > capacity {
            let (_, oldest) = lane.by_time.pop_first().expect("some are left");
            lane.touched.remove(&oldest);
        }
    }

    /// From its tail on a block goes if nothing follows it and nobody else has touched it since.
    fn retract(&mut self, slot: usize, chain: &[u64], credit: u32) {
        let lane = &mut self.lanes[slot];
        let held: Vec<u64> = chain.iter().copied().filter(|hash| lane.touched.contains_key(hash)).collect();
        for hash in held.into_iter().rev() {
            let is_followed = lane.touched.keys().any(|other| self.parents.get(other) == Some(&hash));
            if is_followed || lane.touched[&hash].1 != credit {
                break;
            }
            lane.remove(hash);
        }
    }

    fn depth(&self, slot: usize, chain: &[u64]) -> u32 {
        let held = chain.iter().take_while(|hash| self.lanes[slot].touched.contains_key(hash));
        u32::try_from(held.count()).expect("small")
    }
}

/// Does what `steps` say to an index and to the model, and compares them after each.
fn compare(capacity: usize, blocks: usize, steps: Vec<(usize, u64, u64, usize, usize, u8)>) {
    let index = PrefixIndex::default();
    let lanes: Vec<Lane> = (0..4).map(Lane::new).collect();
    let (mut model, mut credits) = (Model::new(4), vec![(0, Vec::new(), 0)]);
    for (slot, root, branch, len, part, action) in steps {
        // Chains of one root share the same head, as chained hashes do, and those of odd branches some more.
        let mut chain = chain(root, 12 * blocks, branch, len * blocks);
        if branch % 2 == 1 {
            let more = chain.iter_mut().enumerate().skip(12 * blocks).take(5 * blocks);
            more.for_each(|(depth, hash)| *hash = (1 << 40) + root * 10_000 + depth as u64);
        }
        match action {
            0 => {
                index.forget(&lanes[slot], false);
                model.lanes[slot] = Ages::default();
            }
            1 | 2 => {
                // One of the last few, from some block on.
                let (slot, chain, credit) = &credits[credits.len() - 1 - len % credits.len().min(5)];
                let known = (part * blocks).min(chain.len());
                index.retract(&lanes[*slot], chain, known, *credit, |_| ());
                model.retract(*slot, &chain[known..], *credit);
            }
            _ => {
                let credit = index.record(&lanes[slot], &chain, capacity);
                model.record(slot, &chain, capacity, credit);
                credits.push((slot, chain.clone(), credit));
            }
        }
        let depths = depths(&index, &chain);
        for (slot, lane) in lanes.iter().enumerate() {
            assert_eq!(depths[slot], model.depth(slot, &chain), "slot {slot}");
            assert_eq!(lane.by_age(), model.lanes[slot].by_age(), "slot {slot}");
            assert!(lane.len() <= capacity);
            assert!(lane.check());
        }
    }
    lanes.iter().for_each(|lane| index.forget(lane, true));
    assert!(index.table.is_empty());
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(usize, u64, u64, usize, usize, u8)>> {
    prop::collection::vec((0usize..4, 0u64..3, 0u64..4, 0usize..40, 0usize..40, 0u8..12), 1..most)
}

proptest! {
    #[test]
    fn agrees_with_a_naive_model(capacity in 1usize..120, steps in steps(60)) {
        compare(capacity, 1, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn agrees_with_a_naive_model_where_chains_are_longer_than_a_run(capacity in 1usize..4_000, steps in steps(12)) {
        compare(capacity, 60, steps);
    }
}

#[test]
fn a_long_chain_is_taken_back_a_few_blocks_at_a_time_and_told_as_it_goes() {
    let (index, lane) = (PrefixIndex::default(), Lane::new(0));
    let chain: Vec<u64> = (1..=600).collect();
    let credit = index.record(&lane, &chain, 1_000);
    let mut told = Vec::new();
    index.retract(&lane, &chain, 10, credit, |few| told.push(few.to_vec()));
    assert!(told.iter().all(|few| few.len() <= FORGOTTEN_AT_ONCE));
    told.reverse();
    assert_eq!((told.concat().as_slice(), lane.len()), (&chain[10..], 10));
}

/// A lane of a picker that tells others, and of one that does not.
fn both(claim: impl Fn(&PrefixIndex, &Lane, &dyn Fn(&[u64]) -> u32)) {
    for generation in [0, 1] {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        claim(&index, &lane, &|chain| index.record_and_tell(&lane, chain, 1 << 20, generation, |_, _, _| ()));
        assert!(lane.check());
    }
}

#[test]
fn what_others_have_built_on_since_is_not_taken_back() {
    let [first, second, third] = [1, 2, 3].map(|branch| chain(1, 20, branch, 30));
    both(|index, lane, record| {
        let shared = record(&first[..20]);
        let of_first = record(&first);
        index.retract(lane, &first[..20], 0, shared, |_| panic!("it is followed"));
        let of_second = record(&second);
        assert_eq!([&first, &second].map(|chain| depths(index, chain)[0]), [30, 30]);
        // Of two branches each takes its own, and no more.
        index.retract(lane, &first, 0, of_first, |_| ());
        assert_eq!([&first, &second].map(|chain| depths(index, chain)[0]), [20, 30]);
        let of_third = record(&third[..25]);
        index.retract(lane, &second, 5, of_second, |_| ());
        assert_eq!([&second, &third].map(|chain| depths(index, chain)[0]), [20, 25]);
        index.retract(lane, &third, 5, of_third, |_| ());
        assert_eq!((lane.len(), depths(index, &first)[0]), (5, 5));
    });
}

#[test]
fn what_another_was_credited_with_since_is_not_taken_back_though_nothing_follows_it() {
    let chain = chain(1, 100, 0, 100);
    both(|index, lane, record| {
        let failed = record(&chain);
        let answered = record(&chain[..60]);
        index.retract(lane, &chain, 0, failed, |_| ());
        assert_eq!(depths(index, &chain)[0], 60, "of a prompt that is as long as the other's beginning");
        let again = record(&chain[..60]);
        index.retract(lane, &chain[..60], 0, answered, |_| panic!("it was the same prompt"));
        index.retract(lane, &chain[..60], 10, again, |_| ());
        assert_eq!(depths(index, &chain)[0], 10);
    });
}

#[test]
fn a_chain_that_grew_and_was_evicted_in_part_is_taken_back_from_where_it_ends() {
    let long = chain(1, 2_000, 0, 2_000);
    both(|index, lane, record| {
        let credits = Vec::from_iter((1..=20).map(|turn| record(&long[..turn * 100])));
        lane.runs.lock().evict(700, |hash| index.table.remove(hash, 0));
        let mut gone = 0;
        index.retract(lane, &long, 40, credits[19], |few| gone += few.len());
        assert_eq!((gone, lane.len(), depths(index, &long)[0]), (1_260, 40, 40));
    });
}

#[test]
fn no_more_blocks_are_taken_back_than_the_chain_has_whatever_stands_behind_it() {
    both(|index, lane, record| {
        let prompt: Vec<u64> = (1..=1_000).collect();
        let chat = |chat: u64| [&prompt[..], &Vec::from_iter(chat * 10_000..chat * 10_000 + 1_000)].concat();
        let first = record(&prompt);
        let last = (1..=150).map(|number| record(&chat(number))).last().expect("some");
        let held = lane.len();
        index.retract(lane, &prompt, 0, first, |_| panic!("it is followed"));
        assert_eq!((held, lane.len()), (151_000, 151_000));
        let mut gone = Vec::new();
        index.retract(lane, &chat(150), 0, last, |few| gone.push(few.len()));
        assert_eq!((gone, lane.len()), (vec![FORGOTTEN_AT_ONCE, 256, 256, 232], 150_000));
    });
}

#[test]
fn hashes_that_no_chain_has_do_no_harm() {
    let (index, lane) = (PrefixIndex::default(), Lane::new(0));
    for nonsense in [&[1, 2, 1, 3][..], &[2, 1], &[4, 2, 5], &[3, 3], &[1, 5, 4]] {
        index.record(&lane, nonsense, 100);
        assert!(lane.check());
    }
    index.forget(&lane, true);
    assert!(index.table.is_empty() && lane.is_empty());
}
