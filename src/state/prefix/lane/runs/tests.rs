use super::*;

impl Runs {
    /// All links lead there and back, and all maps say what is. Returns whether every run is older than the one that it
    /// follows.
    pub fn check(&self) -> bool {
        let (mut blocks, mut runs, mut newer, mut run) = (0, 0, NIL, self.newest);
        let (mut seen, mut is_in_order) = (std::collections::HashSet::new(), true);
        while run != NIL {
            let it = &self.runs[run];
            assert_eq!(it.newer, newer);
            is_in_order &= it.parent == NIL || seen.contains(&it.parent);
            assert!((1..=MAX_RUN).contains(&it.hashes.len()));
            assert_eq!(self.heads.get(it.hashes[0]), Some(run));
            assert!(!self.keeps_tails || self.tails.get(it.hashes[it.hashes.len() - 1]) == Some(run));
            let (mut before, mut child) = (NIL, it.child);
            while child != NIL {
                assert_eq!((self.runs[child].parent, self.runs[child].before), (run, before));
                (before, child) = (child, self.runs[child].after);
            }
            if it.parent == NIL {
                assert_eq!((it.before, it.after), (NIL, NIL));
            }
            blocks += it.hashes.len();
            runs += 1;
            seen.insert(run);
            (newer, run) = (run, it.older);
        }
        assert_eq!((newer, blocks, runs), (self.oldest, self.blocks, self.heads.len()));
        assert_eq!(runs, self.count());
        assert_eq!(self.tails.len(), if self.keeps_tails { runs } else { 0 }, "all ends are known, or none");
        is_in_order
    }
}

/// Touches a whole chain of new blocks.
fn touch(runs: &mut Runs, chain: &[u64], generation: u32) -> usize {
    runs.touch(NIL, chain, Mark { told: generation, credit: 0 }, &mut 0, |_| true)
}

#[test]
fn a_chat_that_grows_stays_one_run_and_a_branch_cuts_it() {
    let mut runs = Runs::default();
    let chat: Vec<u64> = (1..=50).collect();
    let counts = [10, 20, 50].map(|len| {
        touch(&mut runs, &chat[..len], 0);
        runs.count()
    });
    let branch = [&chat[..30], &[70, 71]].concat();
    touch(&mut runs, &branch, 0);
    assert!(runs.check());
    assert_eq!((counts, runs.count(), runs.len()), ([1; 3], 3, 52));
    // The other branch leaves, and what is left is one again.
    assert_eq!(runs.cut(&chat, 0, 20, |_| ()), 20);
    touch(&mut runs, &branch, 0);
    assert!(runs.check());
    assert_eq!((runs.count(), runs.by_age()), (1, branch));
}

#[test]
fn a_block_is_found_wherever_it_is_in_its_run_and_a_chain_where_it_ends() {
    let mut runs = Runs::default();
    let chain: Vec<u64> = (1..=2 * MAX_RUN as u64 + 10).collect();
    touch(&mut runs, &chain, 1);
    for at in [0, 1, MAX_RUN - 1, MAX_RUN, MAX_RUN + 7, chain.len() - 1] {
        let (run, place) = runs.find_one(chain[at], &mut usize::MAX.clone()).expect("held");
        assert_eq!(runs.runs[run].hashes[place], chain[at]);
    }
    for keeps_tails in [true, false] {
        runs.keeps_tails = keeps_tails;
        let ends = [&chain[..], &chain[..MAX_RUN], &chain[..MAX_RUN + 1], &chain[..7], &[9_999], &[]]
            .map(|chain| runs.ending(chain).map(|run| runs.runs[run].last()));
        let [last, first] = [chain[chain.len() - 1], chain[MAX_RUN - 1]].map(|hash| Some(Some(hash)));
        assert_eq!(ends, [last, first, None, None, None, None]);
    }
}

#[test]
fn what_a_chain_was_told_up_to_is_known_by_its_runs() {
    let mut runs = Runs::default();
    let chain: Vec<u64> = (1..=20).collect();
    let known = [(10, 1), (15, 1), (15, 1), (20, 2), (12, 2), (20, 2), (20, 3)]
        .map(|(len, generation)| touch(&mut runs, &chain[..len], generation));
    assert_eq!(known, [0, 10, 15, 0, 12, 20, 0]);
    assert!(runs.check());
}

#[test]
fn what_was_made_young_without_its_beginning_leaves_no_hole() {
    let mut runs = Runs::default();
    let chain: Vec<u64> = (1..=10).collect();
    touch(&mut runs, &chain, 1);
    let above = runs.ending(&chain).expect("held");
    runs.touch(above, &[], Mark { told: 1, credit: 0 }, &mut 4, |_| true);
    assert_eq!(runs.by_age(), [7, 8, 9, 10, 1, 2, 3, 4, 5, 6], "the last four are the newest");
    let mut evicted = Vec::new();
    (0..10).for_each(|_| runs.evict(1, |hash| evicted.push(hash)));
    assert_eq!(evicted, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn what_held_much_keeps_no_memory() {
    let mut runs = Runs::default();
    (0..100).for_each(|root| {
        touch(&mut runs, &[root * 10 + 1, root * 10 + 2], 1);
    });
    runs.evict(usize::MAX, |_| ());
    assert!(runs.check());
    assert!(runs.heads.is_empty() && runs.tails.is_empty());
}
