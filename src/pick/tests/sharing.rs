//! Pickers that tell each other what they know pick as one.

use super::*;
use crate::proto::sync::{Blocks, Update};
use crate::state::{Heard, Outbox, SILENCE, decode, encode};

mod properties;

/// One picker of several, with its own pool and its own part in the exchange.
struct Peer {
    world: World,
    replica: Replica,
}

fn peer(number: u64, names: &[&str], now: Now) -> Peer {
    let World { picker, writer, config, .. } = world(names);
    let outbox = Arc::new(Outbox::new(number));
    let picker = Arc::into_inner(picker).expect("nobody else has it yet").with_outbox(Arc::clone(&outbox));
    Peer { world: World { picker: Arc::new(picker), writer, config, now }, replica: Replica::new(outbox, "h", now) }
}

impl Peer {
    fn tell(&mut self) -> Option<Vec<u8>> {
        self.world.picker.forget_silent(&mut self.replica, self.world.now);
        self.world.picker.tell(&mut self.replica, self.world.now)
    }

    fn hear(&mut self, bytes: &[u8]) -> Heard {
        self.world.picker.hear(&mut self.replica, bytes, Told::Now, self.world.now).expect("an update")
    }
}

/// All tell, and all others hear it.
fn exchange(peers: &mut [Peer]) {
    for teller in 0..peers.len() {
        if let Some(bytes) = peers[teller].tell() {
            for hearer in (0..peers.len()).filter(|hearer| *hearer != teller) {
                peers[hearer].hear(&bytes);
            }
        }
    }
}

fn pair() -> [Peer; 2] {
    let now = Now::read();
    [1, 2].map(|number| peer(number, &["r1", "r2", "r3"], now))
}

fn fresh(missed: u64, unplaced: usize) -> Heard {
    Heard::Fresh { missed, unplaced, is_other_key: false, is_other_cut: false, waited: Duration::ZERO }
}

#[test]
fn what_one_has_in_flight_the_other_sees_until_it_is_over() {
    let mut peers = pair();
    let mut picked = peers[0].world.pick(None, Some(&[b'x'; 4_000]));
    let name = picked.decision().endpoint.to_string();
    exchange(&mut peers);
    assert_eq!(peers[1].world.load(&name), (1_000.0, 1));
    picked.answered(ok(), peers[0].world.now);
    picked.first_byte(peers[0].world.now);
    exchange(&mut peers);
    assert_eq!(peers[1].world.load(&name), (0.0, 1));
    drop(picked);
    exchange(&mut peers);
    assert_eq!(peers[1].world.load(&name), (0.0, 0));
}

#[test]
fn a_silent_replicas_load_is_gone_and_back_with_its_next_word() {
    let mut peers = pair();
    let picked = peers[0].world.pick(None, Some(&[b'x'; 4_000]));
    let name = picked.decision().endpoint.to_string();
    exchange(&mut peers);
    let later = |peer: &mut Peer, by| peer.world.now.instant += by;
    later(&mut peers[1], SILENCE - Duration::from_millis(1));
    let _ = peers[1].tell();
    assert_eq!(peers[1].world.load(&name).1, 1);
    later(&mut peers[1], Duration::from_millis(1));
    let _ = peers[1].tell();
    assert_eq!((peers[1].world.load(&name).1, peers[1].replica.heard(peers[1].world.now.instant).count()), (0, 0));
    later(&mut peers[0], SILENCE);
    let heartbeat = peers[0].tell().expect("it is due");
    peers[1].hear(&heartbeat);
    assert_eq!(peers[1].world.load(&name).1, 1);
}

#[test]
fn a_late_or_repeated_update_and_our_own_change_nothing() {
    let mut peers = pair();
    let picked = peers[0].world.pick(None, Some(&[b'x'; 4_000]));
    let name = picked.decision().endpoint.to_string();
    let first = peers[0].tell().expect("news");
    drop(picked);
    let second = peers[0].tell().expect("news");
    assert_eq!(
        [&first, &first, &second, &first, &second].map(|bytes| peers[1].hear(bytes)),
        [fresh(0, 0), Heard::Late, fresh(0, 0), Heard::Late, Heard::Late]
    );
    assert_eq!((peers[1].world.load(&name), peers[0].hear(&second)), ((0.0, 0), Heard::Own));
}

#[test]
fn a_replica_that_begins_a_new_life_has_nothing_in_flight_of_the_old() {
    let mut peers = pair();
    let picked = peers[0].world.pick(None, Some(&[b'x'; 4_000]));
    let name = picked.decision().endpoint.to_string();
    let old = [peers[0].tell(), {
        drop(peers[0].world.pick(None, None));
        peers[0].tell()
    }];
    peers[1].hear(old[0].as_ref().expect("news"));
    assert_eq!(peers[1].world.load(&name).1, 1);
    let mut again = peer(
        1,
        &["r1", "r2", "r3"],
        Now { wall: peers[0].world.now.wall + Duration::from_secs(1), ..peers[0].world.now },
    );
    assert_eq!(peers[1].hear(&again.tell().expect("a first word")), fresh(0, 0));
    assert_eq!(peers[1].world.load(&name).1, 0);
    old.iter().flatten().for_each(|late| assert_eq!(peers[1].hear(late), Heard::Late));
}

#[test]
fn a_prefix_that_one_sent_is_found_by_the_other_and_not_after_it_failed() {
    let mut peers = pair();
    let text = vec![b'x'; 8_000];
    let (home, _) = peers[0].world.turn(None, Some(&text), 0);
    exchange(&mut peers);
    assert_eq!(peers[1].world.turn(None, Some(&text), 0), (home, Reason::Prefix));

    let other = vec![b'y'; 8_000];
    let mut failed = peers[0].world.pick(None, Some(&other));
    exchange(&mut peers);
    failed.answered(Head { status: 500, is_event_stream: false, ..ok() }, peers[0].world.now);
    drop(failed);
    exchange(&mut peers);
    assert_eq!(peers[1].world.turn(None, Some(&other), 0).1, Reason::Load);
}

#[test]
fn a_prompt_that_another_request_has_too_stays_when_the_first_one_fails() {
    let mut peers = pair();
    let text = vec![b'x'; 8_000];
    let mut failed = peers[0].world.pick(None, Some(&text));
    let (home, _) = peers[0].world.turn(None, Some(&text), 0);
    assert_eq!(home, *failed.decision().endpoint);
    exchange(&mut peers);
    failed.answered(Head { status: 400, is_event_stream: false, ..ok() }, peers[0].world.now);
    drop(failed);
    exchange(&mut peers);
    for peer in &peers {
        assert_eq!(peer.world.turn(None, Some(&text), 0), (home.clone(), Reason::Prefix));
    }
}

#[test]
fn a_session_that_one_bound_is_at_home_with_the_other_until_it_ends() {
    let mut peers = pair();
    let text = vec![b'x'; 2_000];
    let (home, _) = peers[0].world.turn(Some("s"), Some(&text), 700);
    exchange(&mut peers);
    assert_eq!(peers[1].world.turn(Some("s"), Some(&text), 0), (home, Reason::Session));
    let ends = SessionHint { id: Some("s"), source: SessionSource::Header, ends: true, ..SessionHint::default() };
    let last = Request { session: ends, ..request(None, Some(prompt(&text))) };
    let mut picked = peers[1].world.picker.pick(&last, peers[1].world.now).expect("eligible");
    picked.answered(ok(), peers[1].world.now);
    picked.completed(Usage::default(), peers[1].world.now);
    exchange(&mut peers);
    assert!(peers.iter().all(|peer| peer.world.picker.sessions.is_empty()));
}

#[test]
fn sessions_under_another_key_are_said_and_not_mixed() {
    let mut peers = pair();
    peers[1].world.picker.rename_pool("another");
    peers[0].world.turn(Some("s"), Some(&[b'x'; 2_000]), 0);
    let bytes = peers[0].tell().expect("news");
    assert_eq!(
        peers[1].hear(&bytes),
        Heard::Fresh { missed: 0, unplaced: 0, is_other_key: true, is_other_cut: false, waited: Duration::ZERO }
    );
    assert!(peers[1].world.picker.sessions.is_empty());
}

#[test]
fn a_writer_whose_clock_is_far_ahead_binds_nothing() {
    let mut peers = pair();
    peers[0].world.now.wall += Duration::from_secs(120);
    peers[0].world.turn(Some("s"), Some(&[b'x'; 2_000]), 0);
    exchange(&mut peers);
    assert!(peers[1].world.picker.sessions.is_empty());
}

#[test]
fn a_life_that_begins_in_the_future_is_not_listened_to() {
    let now = Now::read();
    let ahead = |secs| Now { wall: now.wall + Duration::from_secs(secs), ..now };
    let said = [60, 61].map(|secs| {
        let mut one = peer(1, &["r1"], now);
        one.hear(&peer(2, &["r1"], ahead(secs)).tell().expect("a first word"))
    });
    assert_eq!(said, [fresh(0, 0), Heard::Ahead]);
}

#[test]
fn another_replica_of_our_own_number_is_seen_to_be_another() {
    let now = Now::read();
    let mut one = peer(1, &["r1"], now);
    let mut twin = peer(1, &["r1"], Now { wall: now.wall + Duration::from_secs(1), ..now });
    let [own, others] = [&mut one, &mut twin].map(|peer| peer.tell().expect("a first word"));
    assert_eq!([&own, &others].map(|bytes| one.hear(bytes)), [Heard::Own, Heard::Twin]);
    assert_eq!([&own, &others].map(|bytes| twin.hear(bytes)), [Heard::Twin, Heard::Own]);
}

#[test]
fn who_missed_something_asks_and_is_told_whole_chains_again() {
    let mut peers = pair();
    let text = vec![b'x'; 8_000];
    let (home, _) = peers[0].world.turn(None, Some(&text), 0);
    assert!(peers[0].tell().is_some(), "and it is lost");
    let longer = [text, vec![b'y'; 4_000]].concat();
    peers[0].world.turn(None, Some(&longer), 0);
    let bytes = peers[0].tell().expect("news");
    assert_eq!(peers[1].hear(&bytes), fresh(0, 1), "nothing was known of it, so nothing is known to be missed");
    exchange(&mut peers);
    exchange(&mut peers);
    peers[0].world.turn(None, Some(&longer), 0);
    exchange(&mut peers);
    assert_eq!(peers[1].world.turn(None, Some(&longer), 0), (home, Reason::Prefix));
}

#[test]
fn what_one_update_makes_its_reader_look_through_is_bounded_and_the_rest_is_asked_for() {
    let mut one = peer(1, &["r1"], Now::read());
    one.world.configure(|config| config.prefix_index.default_cache_tokens = 100_000_000);
    let endpoint = one.world.picker.pool.load().members()[0].placement;
    let first = |root: u64| Blocks { endpoint, depth: 500, hashes: (root..root + 500).collect(), ..Blocks::default() };
    // It leaves the first one in the middle.
    let second =
        |root: u64| Blocks { endpoint, depth: 251, parent: root + 249, hashes: vec![root + 999], ..first(root) };
    let roots = || (1..=120).map(|number| number * 1_000);
    let updates = [roots().map(first).collect(), roots().map(second).collect()];
    let heard = [1, 2].map(|sequence| {
        let blocks = Vec::clone(&updates[sequence as usize - 1]);
        one.hear(&encode(&Update { replica: 2, epoch: 1, sequence, blocks, ..Update::default() }))
    });
    let unplaced = heard.map(|heard| if let Heard::Fresh { unplaced, .. } = heard { unplaced } else { usize::MAX });
    assert!(unplaced[0] == 0 && (80..90).contains(&unplaced[1]), "{unplaced:?}");
    let asked = decode(&one.tell().expect("a question")).expect("an update");
    assert_eq!(asked.unplaced, [2]);
}

#[test]
fn an_endpoint_that_the_other_does_not_have_is_ignored() {
    let now = Now::read();
    let mut peers = [peer(1, &["r1"], now), peer(2, &["r2"], now)];
    let _picked = peers[0].world.pick(Some("s"), Some(&[b'x'; 8_000]));
    peers[0].world.turn(Some("s"), Some(&[b'x'; 8_000]), 0);
    let bytes = peers[0].tell().expect("news");
    assert_eq!(peers[1].hear(&bytes), fresh(0, 0));
    assert_eq!((peers[1].world.load("r2"), peers[1].world.picker.sessions.len()), ((0.0, 0), 0));
    peers[1].world.writer.replace(vec![endpoint("r1"), endpoint("r2")]);
    let _ = peers[1].tell();
    assert_eq!(peers[1].world.load("r1").1, 1, "load is known as soon as the endpoint is");
}
