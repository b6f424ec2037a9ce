//! An endpoint that is not ready for a moment: nobody is sent there, and nobody forgets that they live there.

use super::*;

const NAMES: [&str; 3] = ["r1", "r2", "r3"];

/// All endpoints, one of them not ready.
fn without(away: &str) -> Vec<Endpoint> {
    NAMES.iter().map(|name| Endpoint { ready: *name != away, ..endpoint(name) }).collect()
}

fn text(session: &str) -> Vec<u8> {
    session.repeat(600).into_bytes()
}

#[test]
fn a_flap_sends_requests_elsewhere_and_moves_no_session() {
    for affinity in [Affinity::Soft, Affinity::Hard] {
        let mut world = world(&NAMES);
        world.configure(|config| config.sessions.affinity = affinity);
        let ids: Vec<String> = (0..60).map(|id| format!("s{id}")).collect();
        let homes: Vec<_> = ids.iter().map(|id| world.turn(Some(id), Some(&text(id)), 50).0).collect();

        world.writer.replace(without("r2"));
        for (id, home) in ids.iter().zip(&homes) {
            for _ in 0..2 {
                let (served, reason) = world.turn(Some(id), Some(&text(id)), 50);
                assert_ne!(served, "r2", "it is not ready");
                let expected = if home == "r2" { Reason::Away } else { Reason::Session };
                assert_eq!(reason, expected, "{id}");
            }
        }
        assert_eq!(world.picker.metrics().moved_sessions.get(), 0);

        world.writer.replace(NAMES.map(endpoint).to_vec());
        for (id, home) in ids.iter().zip(homes) {
            assert_eq!(world.turn(Some(id), Some(&text(id)), 50), (home, Reason::Session), "{id}");
        }
    }
}

#[test]
fn an_endpoint_that_does_not_come_back_loses_its_sessions_when_it_leaves_the_pool() {
    let mut world = world(&NAMES);
    let (home, _) = world.turn(Some("s"), Some(&text("s")), 0);
    world.writer.replace(without(&home));
    let (meanwhile, reason) = world.turn(Some("s"), Some(&text("s")), 0);
    assert_eq!(reason, Reason::Away);
    world.writer.replace(NAMES.iter().filter(|name| **name != home).map(|name| endpoint(name)).collect());
    assert_eq!(
        world.turn(Some("s"), Some(&text("s")), 0),
        (meanwhile.clone(), Reason::Moved),
        "what it cached there counts"
    );
    assert_eq!(world.turn(Some("s"), Some(&text("s")), 0), (meanwhile, Reason::Session));
}

#[test]
fn what_was_booked_and_cached_there_is_still_known_when_it_comes_back() {
    let mut world = world(&NAMES);
    let running = world.pick(None, Some(&text("s")));
    let name = running.decision().endpoint.to_string();
    world.writer.replace(without(&name));
    assert_eq!(world.load(&name).1, 1);
    world.writer.replace(NAMES.map(endpoint).to_vec());
    assert_eq!(world.load(&name).1, 1);
    drop(running);
    assert_eq!(world.load(&name), (0.0, 0));
    assert_eq!(world.turn(None, Some(&text("s")), 0), (name, Reason::Prefix));
}

#[test]
fn a_pool_in_which_nobody_is_ready_refuses() {
    let mut world = world(&["r1"]);
    world.writer.replace(vec![Endpoint { ready: false, ..endpoint("r1") }]);
    let refusal = world.picker.pick(&request(None, None), world.now).expect_err("nobody is ready");
    assert_eq!(refusal, Refusal::NoEndpoints);
}
