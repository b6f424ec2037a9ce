use super::*;
use proptest::prelude::*;
use slots::slots;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;

/// More than any page that is locked asks of whoever waits: four passes over a page five times as long as the mean.
const MOST_STEPS: usize = 200;

fn holders(table: &Table, hash: u64) -> Vec<u32> {
    let mut words = [0; 8];
    table.write(hash, &mut words);
    slots(&words).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn behaves_as_sets_by_hash(steps in prop::collection::vec((0u8..3, 0u64..400, prop_oneof![0u32..5, 0u32..500]), 0..2_000)) {
        let (table, mut model) = (Table::default(), HashMap::<u64, BTreeSet<u32>>::new());
        // All grow at once at first, so that there is much to move.
        (0..20_000).for_each(|hash| assert!(table.insert(hash, 7)));
        (400..20_000).for_each(|hash| table.remove(hash, 7));
        (0..400).for_each(|hash| { model.entry(hash).or_default().insert(7); });
        for (action, hash, slot) in steps {
            let expected = model.entry(hash).or_default();
            if action == 0 {
                table.remove(hash, slot);
                expected.remove(&slot);
            } else {
                prop_assert_eq!(table.insert(hash, slot), expected.insert(slot));
            }
            prop_assert_eq!(table.holds(hash, slot), expected.contains(&slot));
        }
        for (hash, expected) in &model {
            prop_assert_eq!(holders(&table, *hash), expected.iter().copied().collect::<Vec<_>>());
        }
        for (hash, expected) in model {
            expected.into_iter().for_each(|slot| table.remove(hash, slot));
        }
        prop_assert!(table.is_empty());
    }
}

#[test]
fn nobody_waits_for_more_than_some_steps_however_big_the_table_is() {
    let table = Table::default();
    steps::made::most();
    let mut next = 0;
    let most = [1_000, 10_000, 100_000, 300_000].map(|blocks| {
        while next < blocks {
            // Chains that eight endpoints share in part, and the oldest of which leave.
            (0..1 + next % 8).for_each(|slot| assert!(table.insert(next, u32::try_from(slot * 40).expect("small"))));
            if next % 3 == 0 {
                (0..8).for_each(|slot| table.remove(next / 2, slot * 40));
            }
            next += 1;
        }
        steps::made::most()
    });
    assert!(most.iter().all(|most| (1..=MOST_STEPS).contains(most)), "{most:?}");
}

#[test]
fn what_stays_is_found_at_every_moment_while_the_table_grows_and_others_come_and_go() {
    let table = Table::default();
    (0..1_000).for_each(|hash| assert!(table.insert(hash, 3)));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut rounds = 0;
                while !is_over.load(Ordering::Relaxed) || rounds < 2 {
                    (0..1_000).for_each(|hash| assert!(holders(&table, hash).contains(&3), "{hash}"));
                    rounds += 1;
                }
            })
        });
        let writers = [5_u32, 6].map(|slot| {
            let table = &table;
            scope.spawn(move || {
                (0..60_000).for_each(|hash| assert!(table.insert(hash, slot)));
                (0..60_000).for_each(|hash| table.remove(hash, slot));
            })
        });
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().expect("no panic"));
    });
    (0..1_000).for_each(|hash| table.remove(hash, 3));
    assert!(table.is_empty());
}

#[test]
fn an_endpoint_beyond_the_last_slot_holds_nothing() {
    let table = Table::default();
    assert!(table.insert(1, MAX_SLOT) && !table.insert(1, MAX_SLOT + 1) && table.holds(1, MAX_SLOT));
    (0..10).for_each(|slot| assert!(table.insert(1, slot)));
    assert!(table.holds(1, MAX_SLOT) && table.holds(1, 9));
}
