//! What others credited to an endpoint, taken in as if it had been picked here.

use super::super::lane::{Lane, Mark, NIL, Runs};
use super::PrefixIndex;

/// One chain of blocks, of which only the end is spelt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail<'a> {
    /// Blocks of the whole chain; not below the length of `hashes`.
    pub depth: usize,
    /// The block in front of `hashes`; 0 where that is the whole chain.
    pub parent: u64,
    /// From head to tail.
    pub hashes: &'a [u64],
    /// The number of the credit where it was given; 0 where that is not known, and nothing of it can be taken back.
    pub credit: u32,
}

/// What may be done beside taking in what is spelt out, and is lowered by what was done: whoever takes in much at once
/// bounds its work by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Blocks before tails that may become young.
    pub renewals: usize,
    /// Blocks that may be looked at in search of those that tails follow.
    pub steps: usize,
}

impl PrefixIndex {
    /// Credits a chain to `lane`: its tail, and all before it, which becomes as young as if it were picked here.
    ///
    /// Returns whether it had a place: a tail whose parent is not held is ignored, because nobody would find it, and so
    /// is one whose parent stands within a run and costs more to find than the `budget` has left. One of
    /// a chain that is longer than `capacity` has its place all the same: to be told of it again would not help. What is
    /// credited counts as told to others in this `generation`.
    pub fn merge(&self, lane: &Lane, tail: Tail<'_>, capacity: usize, generation: u32, budget: &mut Budget) -> bool {
        let Tail { depth, parent, hashes, credit } = tail;
        let before = depth.saturating_sub(hashes.len());
        let mut runs = lane.runs.lock();
        if runs.is_closed() {
            return true;
        }
        let above = if before > 0 {
            let Some(above) = self.end_at(lane, &mut runs, parent, &mut budget.steps) else { return depth > capacity };
            above
        } else {
            NIL
        };
        let hashes = &hashes[..hashes.len().min(capacity.saturating_sub(before))];
        self.touch(lane, &mut runs, above, hashes, Mark { told: generation, credit }, &mut budget.renewals);
        self.trim(lane, &mut runs, capacity, hashes.len());
        true
    }

    /// The run that ends with this block, if it is held and found: it is made to, where it goes on.
    fn end_at(&self, lane: &Lane, runs: &mut Runs, hash: u64, steps: &mut usize) -> Option<u32> {
        if !self.table.holds(hash, lane.slot()) {
            return None;
        }
        let (run, place) = runs.find_one(hash, steps)?;
        Some(runs.end_at(run, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::prefix::PrefixScratch;
    use proptest::prelude::*;

    const CREDIT: u32 = 7;
    const NO_LIMIT: Budget = Budget { renewals: usize::MAX, steps: usize::MAX };

    fn depth(index: &PrefixIndex, chain: &[u64]) -> u32 {
        let mut depths = [0];
        index.depths(chain, &mut depths, &mut PrefixScratch::default());
        depths[0]
    }

    fn merge(index: &PrefixIndex, lane: &Lane, tail: Tail<'_>, capacity: usize, generation: u32) -> bool {
        index.merge(lane, tail, capacity, generation, &mut NO_LIMIT.clone())
    }

    fn tail(chain: &[u64], known: usize) -> Tail<'_> {
        let parent = if known > 0 { chain[known - 1] } else { 0 };
        Tail { depth: chain.len(), parent, hashes: &chain[known..], credit: CREDIT }
    }

    #[test]
    fn a_tail_without_its_parent_is_ignored_and_one_with_it_is_found() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let chain: Vec<u64> = (1..=10).collect();
        assert!(!merge(&index, &lane, tail(&chain, 4), 100, 1));
        assert_eq!(lane.len(), 0);
        assert!(merge(&index, &lane, tail(&chain[..4], 0), 100, 1));
        assert!(merge(&index, &lane, tail(&chain, 4), 100, 1));
        assert_eq!(depth(&index, &chain), 10);
    }

    #[test]
    fn a_hit_elsewhere_makes_the_whole_chain_young() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let [first, second, third]: [Vec<u64>; 3] = [1, 2, 3].map(|root| (0..5).map(|at| root * 100 + at).collect());
        index.record(&lane, &first, 10);
        index.record(&lane, &second, 10);
        assert!(merge(&index, &lane, tail(&first, 5), 10, 1));
        index.record(&lane, &third, 10);
        assert_eq!((depth(&index, &first), depth(&index, &second)), (5, 0));
    }

    #[test]
    fn blocks_in_a_circle_and_depths_out_of_this_world_end() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        assert!(merge(&index, &lane, Tail { depth: 3, parent: 0, hashes: &[1, 2, 1], credit: 0 }, 10, 1));
        assert!(merge(&index, &lane, Tail { depth: usize::MAX, parent: 1, hashes: &[], credit: 0 }, 10, 1));
        assert!(
            merge(&index, &lane, Tail { depth: usize::MAX, parent: 2, hashes: &[7], credit: 0 }, 10, 1),
            "beyond the capacity"
        );
        assert_eq!(lane.len(), 2);
    }

    #[test]
    fn a_chain_that_is_longer_than_what_fits_here_is_not_asked_for_again_and_again() {
        let [(here, mine), (there, theirs)] = [(); 2].map(|()| (PrefixIndex::default(), Lane::new(0)));
        let chain: Vec<u64> = (1..=12).collect();
        for _ in 0..3 {
            here.record_and_tell(&mine, &chain, 12, 1, |chain, known, _| {
                assert!(merge(&there, &theirs, tail(chain, known), 10, 1), "{known} were known");
            });
        }
        assert_eq!((depth(&here, &chain), depth(&there, &chain)), (12, 10));
    }

    #[test]
    fn no_more_blocks_become_young_than_may() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let chain: Vec<u64> = (1..=10).collect();
        let mut left = Budget { renewals: 25, ..NO_LIMIT };
        let placed = [0, 10, 10, 10].map(|known| index.merge(&lane, tail(&chain, known), 10, 1, &mut left));
        assert_eq!((placed, left.renewals), ([true; 4], 0));
    }

    #[test]
    fn no_more_blocks_are_looked_at_than_may_be_and_what_is_at_an_end_of_a_run_needs_none() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let chain = |root: u64| Vec::from_iter(root * 1_000..root * 1_000 + 100);
        (0..100).for_each(|root| assert!(merge(&index, &lane, tail(&chain(root), 0), 1 << 20, 1)));
        let mut budget = Budget { steps: 100_000, ..NO_LIMIT };
        let mut branch = |root: u64, at: usize| {
            let tail = tail(&[&chain(root)[..at], &[root * 1_000 + 999]].concat(), at).hashes.to_vec();
            let tail = Tail { depth: at + 1, parent: chain(root)[at - 1], hashes: &tail, credit: CREDIT };
            let before = budget.steps;
            (index.merge(&lane, tail, 1 << 20, 1, &mut budget), before - budget.steps)
        };
        // Each time the oldest run: it becomes the newest, but for its end.
        let looked: Vec<_> = (0..10).map(|root| branch(root, 50)).collect();
        assert!(looked.iter().all(|(is_placed, steps)| *is_placed == (*steps > 10_000)), "{looked:?}");
        assert_eq!(looked.iter().map(|(_, steps)| steps).sum::<usize>(), 100_000);
        assert_eq!([branch(50, 100), branch(51, 1), branch(52, 50)], [(true, 0), (true, 0), (false, 0)]);
        assert!(lane.check());
    }

    #[test]
    fn what_branches_off_from_a_block_that_is_not_found_soon_is_placed_when_the_whole_chain_is_told() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let first: Vec<u64> = (1..=20).collect();
        let second = [&first[..10], &[70, 71]].concat();
        assert!(merge(&index, &lane, tail(&first, 0), 1 << 20, 1));
        for root in 1..=200 {
            index.record(&lane, &Vec::from_iter(root * 1000..root * 1000 + 500), 1 << 20);
        }
        assert!(!merge(&index, &lane, tail(&second, 10), 1 << 20, 1), "100,000 newer blocks are not looked through");
        assert!(merge(&index, &lane, tail(&second, 0), 1 << 20, 1));
        assert!(merge(&index, &lane, tail(&[&second[..], &[72]].concat(), 12), 1 << 20, 1));
        assert!(lane.check());
        assert_eq!((depth(&index, &first), depth(&index, &second)), (20, 12));
    }

    #[test]
    fn what_another_replica_touched_since_is_not_taken_back_and_what_it_touched_before_is() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let chain: Vec<u64> = (1..=20).collect();
        let credited = |credit, known| assert!(merge(&index, &lane, Tail { credit, ..tail(&chain, known) }, 100, 1));
        credited(0, 0);
        index.retract(&lane, &chain, 0, 0, |_| panic!("nobody said whose it is"));
        credited(1, 0);
        credited(2, 20);
        index.retract(&lane, &chain, 0, 1, |_| panic!("another has it too"));
        credited(1, 20);
        index.retract(&lane, &chain[5..], 0, 1, |_| ());
        assert_eq!(depth(&index, &chain), 5);
    }

    #[test]
    fn a_tail_is_taken_back_however_many_newer_blocks_there_are_and_not_what_follows_it_here() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        let [first, second] = [1_000, 2_000].map(|root| Vec::from_iter(root..root + 300));
        let longer = [&second[..], &[70]].concat();
        for chain in [&first, &second, &longer] {
            assert!(merge(&index, &lane, tail(chain, 0), 1 << 20, 1));
        }
        (1..=200).for_each(|root| {
            let others = Vec::from_iter(root * 10_000..root * 10_000 + 500);
            assert!(merge(&index, &lane, tail(&others, 0), 1 << 20, 1));
        });
        [&first, &second].iter().for_each(|chain| index.retract(&lane, &chain[100..], 0, CREDIT, |_| ()));
        assert!(lane.check());
        assert_eq!([&first, &longer].map(|chain| depth(&index, chain)), [100, 301]);
    }

    #[test]
    fn a_lane_of_an_endpoint_that_has_left_takes_nothing() {
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        index.forget(&lane, true);
        assert!(
            merge(&index, &lane, Tail { depth: 1, parent: 0, hashes: &[1], credit: 0 }, 10, 1),
            "nobody is asked for it again"
        );
        assert!(lane.is_empty());
    }

    proptest! {
        #[test]
        fn who_is_told_of_every_tail_holds_the_same_in_the_same_order(
            capacity in 1usize..40,
            chains in prop::collection::vec((0u64..3, 0u64..3, 1usize..30, 0u8..12), 1..60),
        ) {
            let [(here, mine), (there, theirs)] = [(); 2].map(|()| (PrefixIndex::default(), Lane::new(0)));
            let (mut generation, mut credits) = (1, vec![(vec![1], 0)]);
            for (root, branch, len, action) in chains {
                let chain: Vec<u64> =
                    (1..=len as u64).map(|at| root * 1000 + at + if at > 10 { branch * 100 } else { 0 }).collect();
                match action {
                    // Others are told all again.
                    0 => generation += 1,
                    1 | 2 => {
                        // One of the last few, from some block on.
                        let (chain, credit) = &credits[credits.len() - 1 - branch as usize % credits.len()];
                        let known = len.min(chain.len());
                        here.retract(&mine, chain, known, *credit, |few| {
                            there.retract(&theirs, few, 0, *credit, |_| ());
                        });
                    }
                    _ => {
                        let credit = here.record_and_tell(&mine, &chain, capacity, generation, |chain, known, credit| {
                            let tail = Tail { credit, ..tail(chain, known) };
                            assert!(merge(&there, &theirs, tail, capacity, generation));
                        });
                        credits.push((chain, credit));
                    }
                }
                prop_assert_eq!(mine.by_age(), theirs.by_age());
                prop_assert!(mine.check() && theirs.check());
            }
        }

        #[test]
        fn whatever_others_tell_in_whichever_order_nothing_is_found_behind_a_hole(
            capacity in 1usize..60,
            news in prop::collection::vec((0u64..3, 0u64..3, 0usize..30, 0usize..30, (0usize..20, 0usize..200), 0u8..6), 1..60),
        ) {
            let (index, lane) = (PrefixIndex::default(), Lane::new(0));
            for (root, branch, len, known, (renewals, steps), action) in news {
                let chain: Vec<u64> =
                    (1..=len as u64).map(|at| root * 1000 + at + if at > 10 { branch * 100 } else { 0 }).collect();
                let known = known.min(len);
                match action {
                    0 => index.retract(&lane, &chain[known..], 0, CREDIT, |_| ()),
                    1 => {
                        index.record_and_tell(&lane, &chain, capacity, 1, |_, _, _| ());
                    }
                    _ => {
                        let held = known == 0 || lane.by_age().contains(&chain[known - 1]);
                        let mut budget = Budget { renewals, steps };
                        let is_placed = index.merge(&lane, tail(&chain, known), capacity, 1, &mut budget);
                        let is_too_dear = held && budget.steps == 0;
                        prop_assert!(is_placed == (held || len > capacity) || (!is_placed && is_too_dear));
                    }
                }
                lane.check();
                let held = lane.by_age();
                prop_assert!(held.len() <= capacity);
                let contiguous = chain.iter().take_while(|hash| held.contains(hash)).count();
                let any = chain.iter().filter(|hash| held.contains(hash)).count();
                prop_assert_eq!((depth(&index, &chain) as usize, any), (contiguous, contiguous));
            }
        }
    }
}
