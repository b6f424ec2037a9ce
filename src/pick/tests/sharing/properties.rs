//! What holds for pickers that tell each other, whatever happens.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Takes in what of the log is new to this one; all but the newest is history to who begins anew.
fn read_on(peer: &mut Peer, log: &[Vec<u8>], read: &mut usize) {
    let begins_anew = *read == 0;
    for (place, bytes) in log.iter().enumerate().skip(*read) {
        let told = if begins_anew && place + 1 < log.len() { Told::Before } else { Told::Now };
        peer.world.picker.hear(&mut peer.replica, bytes, told, peer.world.now).expect("an update");
    }
    *read = log.len();
}

/// What is done with the requests of a test: those that are open, with who picked them.
#[derive(Default)]
struct Open {
    one: Vec<Picked>,
    several: Vec<Picked>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pickers_that_tell_at_once_pick_as_one_that_gets_everything(
        steps in prop::collection::vec((0usize..3, 0u8..8, 0u8..6, 1usize..12, any::<prop::sample::Index>()), 1..40),
    ) {
        let now = Now::read();
        let names = ["r1", "r2", "r3", "r4"];
        let mut one = world(&names);
        one.now = now;
        let mut peers = [1, 2, 3].map(|number| peer(number, &names, now));
        let mut open = Open::default();
        for (at, (who, action, talk, turns, which)) in (0u32..).zip(steps) {
            let now = Now { instant: now.instant + Duration::from_millis(10) * at, wall: now.wall + Duration::from_millis(10) * at };
            one.now = now;
            peers.iter_mut().for_each(|peer| peer.world.now = now);
            let id = format!("s{talk}");
            let text = format!("talk {talk} ").repeat(100 * turns).into_bytes();
            let session = (talk % 2 == 0).then_some(id.as_str());
            let place = if open.one.is_empty() { 0 } else { which.index(open.one.len()) };
            match action {
                0 if !open.one.is_empty() => {
                    // Refused: failures are each picker's own.
                    let head = Head { status: 400, is_event_stream: false, ..ok() };
                    for picked in [&mut open.one[place], &mut open.several[place]] {
                        picked.answered(head, now);
                    }
                    drop((open.one.remove(place), open.several.remove(place)));
                }
                1 if !open.one.is_empty() => {
                    for picked in [&mut open.one[place], &mut open.several[place]] {
                        picked.answered(ok(), now);
                        picked.first_byte(now);
                    }
                }
                2 if !open.one.is_empty() => {
                    for mut picked in [open.one.remove(place), open.several.remove(place)] {
                        picked.answered(ok(), now);
                        picked.first_byte(now);
                        picked.completed(Usage { prompt_tokens: None, answer_tokens: 20 }, now);
                    }
                }
                _ => {
                    open.one.push(one.pick(session, Some(&text)));
                    open.several.push(peers[who].world.pick(session, Some(&text)));
                    let [said, told] = [&open.one, &open.several].map(|open| open.last().expect("a pick").decision());
                    prop_assert_eq!((&said.endpoint, said.reason), (&told.endpoint, told.reason));
                }
            }
            exchange(&mut peers);
            for peer in &peers {
                for name in names {
                    prop_assert_eq!(peer.world.load(name), one.load(name));
                }
            }
        }
    }

    #[test]
    fn whoever_reads_one_log_to_its_end_knows_the_same_whatever_was_told_twice_or_read_again(
        steps in prop::collection::vec((0usize..3, 0u8..10, 0u8..6, 1usize..12), 1..50),
    ) {
        let now = Now::read();
        let names = ["r1", "r2", "r3", "r4"];
        let mut peers = [1, 2, 3].map(|number| peer(number, &names, now));
        let (mut log, mut read) = (Vec::new(), [0; 3]);
        let mut under_way = Vec::new();
        for (at, (who, action, talk, turns)) in (0u32..).zip(steps) {
            let now = Now { instant: now.instant + Duration::from_millis(10) * at, wall: now.wall + Duration::from_millis(10) * at };
            peers.iter_mut().for_each(|peer| peer.world.now = now);
            let session = (talk % 2 == 0).then(|| format!("s{talk}"));
            let text = format!("talk {talk} ").repeat(100 * turns).into_bytes();
            match action {
                // It arrives; it is lost; it arrives, and that is not known.
                0..3 => {
                    let Some(bytes) = peers[who].tell() else { continue };
                    if action != 1 {
                        log.push(bytes);
                    }
                    if action > 0 {
                        peers[who].replica.lost();
                    }
                }
                3 => read_on(&mut peers[who], &log, &mut read[who]),
                // It was away, and begins again.
                4 => read[who] = 0,
                5 => drop(under_way.pop()),
                6 => under_way.push(peers[who].world.pick(session.as_deref(), Some(&text))),
                _ => _ = peers[who].world.turn(session.as_deref(), Some(&text), 20),
            }
        }
        // Two heartbeats later, what was lost has been told again, and nobody reads history.
        for _ in 0..2 {
            peers.iter_mut().zip(&mut read).for_each(|(peer, read)| read_on(peer, &log, read));
            for peer in &mut peers {
                peer.world.now.instant += Duration::from_secs(1);
                log.extend(peer.tell());
            }
        }
        peers.iter_mut().zip(&mut read).for_each(|(peer, read)| read_on(peer, &log, read));
        let known = peers.each_ref().map(|peer| {
            let World { picker, now, .. } = &peer.world;
            let loads = names.map(|name| peer.world.load(name));
            let pool = picker.pool.load();
            let held: Vec<_> = pool.members().iter().map(|member| BTreeSet::from_iter(member.lane.by_age())).collect();
            let sessions = (0..6).step_by(2).map(|talk| {
                let key = picker.digest.load().key(SessionClass::Session, "", "m", &format!("s{talk}"));
                picker.sessions.get(key, now.instant, Duration::from_secs(600)).map(|session| pool.get(session.home).expect("a member").placement)
            });
            (loads, held, sessions.collect::<Vec<_>>())
        });
        prop_assert_eq!(&known[0], &known[1]);
        prop_assert_eq!(&known[0], &known[2]);
    }
}
