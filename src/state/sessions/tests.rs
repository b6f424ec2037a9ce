use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const HOUR: Duration = Duration::from_secs(3600);

fn home(slot: u32) -> Session {
    Session { home: EndpointId { slot, generation: 1 }, prompt: PromptLength::of_bytes(40.0), answer_tokens: 0 }
}

fn key(id: u64) -> SessionKey {
    SessionKey(u128::from(id) << 64 | u128::from(id))
}

#[test]
fn an_idle_session_is_forgotten_and_a_used_one_is_not() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    sessions.bind(key(1), home(1), Stamp::default(), start, HOUR, 10);
    sessions.bind(key(2), home(2), Stamp::default(), start, HOUR, 10);
    assert!(sessions.get(key(1), start + HOUR / 2, HOUR).is_some());
    assert_eq!(sessions.get(key(1), start + HOUR, HOUR), Some(home(1)));
    assert_eq!(sessions.get(key(2), start + HOUR, HOUR), None);
}

#[test]
fn idle_sessions_make_room_without_anybody_asking_for_them() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    for id in 0..8 {
        sessions.bind(key(id), home(1), Stamp::default(), start, HOUR, 100);
    }
    sessions.bind(key(99), home(1), Stamp::default(), start + HOUR * 2, HOUR, 100);
    assert_eq!(sessions.len(), 1);
}

#[test]
fn a_flood_of_new_sessions_leaves_those_in_use() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    let bound =
        |id: u64, at| sessions.bind(key(id), home(1), Stamp::default(), start + Duration::from_millis(at), HOUR, 1000);
    for id in 0..100 {
        bound(id, 0);
    }
    for id in 1_000..11_000 {
        let at = id * 10;
        if id % 5 == 0 {
            let _ = sessions.get(key(id / 5 % 100), start + Duration::from_millis(at), HOUR);
        }
        bound(id, at);
    }
    assert!(sessions.len() <= 1000);
    let kept = (0..100).filter(|id| sessions.get(key(*id), start + Duration::from_secs(110), HOUR).is_some()).count();
    assert_eq!(kept, 100);
}

#[test]
fn an_answer_counts_only_for_the_home_that_gave_it() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    sessions.bind(key(1), home(1), Stamp::default(), start, HOUR, 10);
    sessions.answered(key(1), EndpointId { slot: 2, generation: 1 }, 50, None, Stamp::default(), start);
    sessions.answered(key(2), EndpointId { slot: 2, generation: 1 }, 50, None, Stamp::default(), start);
    assert_eq!(sessions.get(key(1), start, HOUR), Some(home(1)));
    sessions.answered(key(1), EndpointId { slot: 1, generation: 1 }, 50, None, Stamp::default(), start);
    assert_eq!(sessions.get(key(1), start, HOUR).map(|session| session.context_tokens(4.0)), Some(60.0));
}

#[test]
fn an_answer_under_an_earlier_stamp_than_the_table_has_changes_nothing_and_is_not_told() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    let stamp = |clock| Stamp { clock, writer: 1 };
    sessions.bind(key(1), home(1), stamp(5), start, HOUR, 10);
    let answered = |clock| sessions.answered(key(1), home(1).home, 50, None, stamp(clock), start);
    assert_eq!([4, 5].map(|clock| answered(clock).is_some()), [false, true]);
    assert!(answered(7).is_some() && answered(6).is_none(), "what was told is what is kept");
}

#[test]
fn nothing_that_was_written_before_its_end_brings_a_session_back() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    let stamp = |clock| Stamp { clock, writer: 1 };
    let bind = |clock| sessions.bind(key(1), home(1), stamp(clock), start, HOUR, 10);
    assert!(bind(5));
    sessions.end(key(1), stamp(7));
    assert!(!bind(6) && sessions.answered(key(1), home(1).home, 50, None, stamp(8), start).is_none());
    assert_eq!((sessions.get(key(1), start, HOUR), sessions.len()), (None, 0));
    assert!(bind(8));
    assert_eq!((sessions.get(key(1), start, HOUR), sessions.len()), (Some(home(1)), 1));
    sessions.end(key(1), stamp(7));
    assert!(sessions.get(key(1), start, HOUR).is_some(), "an end from before does not end it");
}

#[test]
fn a_session_that_ends_and_begins_over_and_over_costs_no_other_its_home() {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    for id in 0..100 {
        sessions.bind(key(id), home(1), Stamp::default(), start, HOUR, 200);
    }
    for _ in 0..10_000 {
        sessions.bind(key(999), home(2), Stamp::default(), start, HOUR, 200);
        sessions.end(key(999), Stamp::default());
    }
    assert_eq!((sessions.len(), sessions.queue.lock().len()), (100, 101));
}

#[test]
fn an_insert_looks_at_a_bounded_number_of_entries_though_all_are_in_use_or_the_bound_was_lowered() {
    const MANY: u64 = 100_000;
    let start = Instant::now();
    let later = start + HOUR / 2;
    for (max, most) in [(MANY as usize, INSPECTED_PER_INSERT + 1), (10, INSPECTED_PER_INSERT + EVICTED_PER_INSERT)] {
        let sessions = Sessions::new(start);
        for id in 0..MANY {
            sessions.bind(key(id), home(1), Stamp::default(), start, HOUR, usize::MAX);
            let _ = sessions.get(key(id), later, HOUR);
        }
        for _ in 0..1_000 {
            let seen = sessions.evict(&mut sessions.queue.lock(), sessions.ticks(later), HOUR, max);
            assert!(seen <= most, "{seen} with room for {max}");
        }
        assert!(sessions.len() <= max);
    }
}

proptest! {
    #[test]
    fn who_hears_all_writers_in_whichever_order_and_twice_has_one_table(
        writes in prop::collection::vec((0u64..4, 0u32..5, 0u32..100, 0u64..6, 0u32..3), 1..30),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        // No writer has two writes of one clock.
        let mut writes: Vec<_> = writes
            .into_iter()
            .map(|(id, slot, answer_tokens, clock, writer)| {
                (key(id), Session { answer_tokens, ..home(slot) }, Stamp { clock, writer })
            })
            .collect();
        writes.sort_by_key(|(_, _, stamp)| *stamp);
        writes.dedup_by_key(|(_, _, stamp)| *stamp);
        let start = Instant::now();
        let [here, there] = [(); 2].map(|()| Sessions::new(start));
        let bind = |sessions: &Sessions, &(key, session, stamp): &(SessionKey, Session, Stamp)| {
            sessions.bind(key, session, stamp, start, HOUR, 10);
        };
        writes.iter().for_each(|write| bind(&here, write));
        order.iter().for_each(|at| bind(&there, at.get(&writes)));
        writes.iter().rev().for_each(|write| bind(&there, write));
        for id in 0..4 {
            prop_assert_eq!(here.get(key(id), start, HOUR), there.get(key(id), start, HOUR));
        }
    }

    #[test]
    fn never_more_than_max_never_another_sessions_home_and_never_one_that_has_ended(
        max in 1usize..20,
        steps in prop::collection::vec((0u64..40, 0u32..5, 0u32..5, 0u64..3), 1..200),
    ) {
        let start = Instant::now();
        let sessions = Sessions::new(start);
        let mut bound = HashMap::new();
        let mut at = 0;
        for (id, slot, what, pause) in steps {
            at += pause;
            let now = start + Duration::from_secs(at);
            if what < 2 {
                sessions.bind(key(id), home(slot), Stamp::default(), now, HOUR, max);
                bound.insert(id, home(slot));
            } else if what == 2 {
                sessions.end(key(id), Stamp::default());
                bound.remove(&id);
            } else if let Some(found) = sessions.get(key(id), now, HOUR) {
                prop_assert_eq!(Some(&found), bound.get(&id));
            }
            let entries = sessions.entries.len();
            prop_assert!(entries <= max);
            prop_assert_eq!(entries, sessions.queue.lock().len());
            let live = sessions.entries.iter().filter(|entry| !entry.has_ended()).count();
            prop_assert_eq!(sessions.len(), live);
        }
    }
}
