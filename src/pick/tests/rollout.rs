//! A rolling update: sessions that lose their home go to pods that stay, where that costs little more.

use super::*;

const SIZE: usize = 8;
const SESSIONS: usize = 200;

/// A pod of the rollout: old ones are `r0` to `r7`, new ones `n0` to `n7`.
fn pod(name: String, outdated: bool) -> Endpoint {
    let address = [10, 0, name.as_bytes()[0], name.as_bytes()[1]];
    Endpoint { outdated, ..Endpoint::new(&name, (address, 8000).into()) }
}

/// The pool once `new` pods have come and `gone` old ones have ended.
fn pool_of(new: usize, gone: usize) -> Vec<Endpoint> {
    let old = (gone..SIZE).map(|n| pod(format!("r{n}"), new > 0));
    old.chain((0..new).map(|n| pod(format!("n{n}"), false))).collect()
}

fn text(session: usize) -> Vec<u8> {
    format!("session {session} ").repeat(300).into_bytes()
}

/// A prompt of 120 KB: a near-tie of its cost is wider than what an outdated pod is charged.
fn long_text(session: usize) -> Vec<u8> {
    format!("session {session} ").repeat(10_000).into_bytes()
}

/// How often sessions moved while all pods were replaced, a new one always before an old one ends.
fn moves(outdated_tokens: f64, text: fn(usize) -> Vec<u8>) -> usize {
    let mut world = world(&[]);
    world.configure(|config| {
        config.scorers.session_affinity.outdated_tokens = outdated_tokens;
        // Room for all of them anywhere: what is evicted leaves for another reason.
        config.prefix_index.default_cache_tokens = 20_000_000;
    });
    let mut moves = 0;
    for step in 0..=SIZE {
        for gone in [step.saturating_sub(1), step] {
            world.writer.replace(pool_of(step, gone));
            for session in 0..SESSIONS {
                let (_, reason) = world.turn(Some(&format!("s{session}")), Some(&text(session)), 50);
                moves += usize::from(reason == Reason::Moved);
            }
        }
    }
    moves
}

#[test]
fn in_a_rolling_update_each_session_moves_once_and_more_often_where_new_pods_count_no_less() {
    for text in [text, long_text] {
        assert_eq!(moves(512.0, text), SESSIONS, "one move for the one end of a home");
        let without = moves(0.0, text);
        assert!(without > SESSIONS * 5 / 4, "{without} moves of {SESSIONS} sessions");
    }
}

#[test]
fn load_decides_where_the_only_new_pod_is_busy() {
    let mut world = world(&[]);
    world.writer.replace(pool_of(0, 0));
    let homes: Vec<_> = (0..SESSIONS).map(|n| world.turn(Some(&format!("s{n}")), Some(&text(n)), 50).0).collect();
    world.writer.replace(pool_of(1, 1));
    // All move at the same moment, so that each adds to what waits where it goes.
    let held: Vec<_> = (0..SESSIONS)
        .filter(|n| homes[*n] == "r0")
        .map(|n| world.pick(Some(&format!("s{n}")), Some(&text(n))))
        .collect();
    let to_new = held.iter().filter(|picked| &*picked.decision().endpoint == "n0").count();
    assert!(held.len() >= SIZE * 2, "{} sessions have lost their home", held.len());
    assert!((1..held.len() / 2).contains(&to_new), "{to_new} of {} went to the only new pod", held.len());
}

#[test]
fn what_is_outdated_is_picked_where_there_is_nothing_else_and_keeps_its_sessions() {
    let mut world = world(&[]);
    world.writer.replace(pool_of(0, SIZE - 1));
    let (home, _) = world.turn(Some("s"), Some(&text(0)), 50);
    world.writer.replace(pool_of(1, SIZE - 1));
    assert_eq!(world.turn(Some("s"), Some(&text(0)), 50), (home, Reason::Session), "it has no reason to move");
    world.writer.replace(vec![pod("r1".to_owned(), true)]);
    assert_eq!(world.turn(Some("s"), Some(&text(0)), 50), ("r1".to_owned(), Reason::Moved));
}

#[test]
fn the_charge_shows_as_the_sessions_and_only_sessions_without_a_home_bear_it() {
    let mut world = world(&[]);
    world.writer.replace(pool_of(1, SIZE - 1));
    let text = text(0);
    let charged = |world: &World, source, id| {
        let session = SessionHint { id, source, ..SessionHint::default() };
        let request = Request { session, ..request(None, Some(prompt(&text))) };
        let picked = world.picker.pick(&request, world.now).expect("eligible");
        let mut choices = picked.decision().choices.iter().flatten();
        let old = choices.find(|choice| &*choice.endpoint == "r7").expect("it is one of two");
        old.charged.session_affinity
    };
    for (source, id, tokens) in [
        (SessionSource::Header, Some("new"), 512.0),
        (SessionSource::Generated, Some("made"), 512.0),
        (SessionSource::Group, Some("many"), 0.0),
        (SessionSource::None, None, 0.0),
    ] {
        assert_eq!(charged(&world, source, id), tokens, "{source:?}");
    }
    world.configure(|config| config.scorers.session_affinity.outdated_tokens = 0.0);
    assert_eq!(charged(&world, SessionSource::Header, Some("new")), 0.0);
    world.configure(|config| config.sessions.affinity = Affinity::Off);
    assert_eq!(charged(&world, SessionSource::Header, Some("new")), 0.0);
}

#[test]
fn a_session_whose_home_is_away_for_a_moment_is_not_charged() {
    let mut world = world(&[]);
    world.writer.replace(pool_of(0, SIZE - 2));
    let (home, _) = world.turn(Some("s"), Some(&text(0)), 50);
    let away = |endpoint: Endpoint| Endpoint { ready: *endpoint.name != *home, ..endpoint };
    world.writer.replace(pool_of(1, SIZE - 2).into_iter().map(away).collect());
    let picked = world.pick(Some("s"), Some(&text(0)));
    assert_eq!(picked.decision().reason, Reason::Away);
    assert!(picked.decision().choices.iter().flatten().all(|choice| choice.charged.session_affinity == 0.0));
}
