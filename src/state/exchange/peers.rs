//! The other replicas: which are there, what each last said of its load, and what they have in flight together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::proto::sync::{Load, Update};
use crate::state::others::Sent;

/// A replica that has said nothing for so long is gone: what it had in flight counts no longer.
pub const SILENCE: Duration = Duration::from_millis(1500);
/// Until then its last number is remembered, so that an update which was held up somewhere is seen to be late.
const REMEMBERED: Duration = Duration::from_secs(600);
/// More replicas than any pool has; noise on the channel cannot take more memory.
const MAX_PEERS: usize = 256;
/// A replica is asked no more often to tell all again: it takes a while until all chains were picked once.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// And no more often than this where it lacks something whenever it was asked.
const ASK_AT_LAST_EVERY: Duration = Duration::from_secs(300);
/// No two updates of one life are so far from each other, within what is remembered: another writer, or a broken one.
const FURTHEST_APART: u64 = 1 << 20;

/// No replica has more in flight at one endpoint.
const MAX_IN_FLIGHT: u32 = 100_000;
/// No request has more tokens; beyond that somebody writes nonsense, and no endpoint would be picked any more.
const MAX_TOKENS: u64 = 8_000_000;

/// The others.
#[derive(Debug, Default)]
pub struct Peers {
    by_number: HashMap<u64, Told, ahash::RandomState>,
}

#[derive(Debug)]
struct Told {
    name: Arc<str>,
    epoch: u64,
    sequence: u64,
    /// When something of it came in last, however old that was.
    read_at: Instant,
    /// When it said something last; `None` as long as all of it is history.
    heard_at: Option<Instant>,
    /// By endpoint; empty once it is silent.
    loads: HashMap<u64, Sent, ahash::RandomState>,
    /// Whether something that it said has no place here.
    is_unplaced: bool,
    /// When it was asked to tell all again, and how long it is not asked then.
    asked: Option<(Instant, Duration)>,
}

/// A replica that is not silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number.
    pub replica: u64,
    /// What people call it; empty where it does not say.
    pub name: Arc<str>,
    /// When it said something last.
    pub heard_at: Instant,
}

/// What an update is, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// New.
    Fresh {
        /// Updates between it and the one before, which never came.
        missed: u64,
    },
    /// Late or repeated.
    Late,
    /// From one replica too many.
    Crowded,
}

impl Peers {
    /// Takes in the number of `update`, and its load if it is new. `touched` gets every endpoint whose sum has changed.
    ///
    /// History is what was told before this replica listened: it says nothing of what anybody has in flight now.
    pub fn admit(
        &mut self,
        update: &Update,
        is_history: bool,
        now: Instant,
        mut touched: impl FnMut(&Self, u64),
    ) -> Admission {
        let Update { replica, epoch, sequence, .. } = *update;
        if !self.by_number.contains_key(&replica) && !self.make_room(now) {
            return Admission::Crowded;
        }
        let peer = self.by_number.entry(replica).or_insert_with(|| Told {
            name: Arc::default(),
            epoch,
            sequence: sequence.saturating_sub(1),
            read_at: now,
            heard_at: None,
            loads: HashMap::default(),
            // What it told before it was known here. History begins somewhere: what it lacks shows when it is missed.
            is_unplaced: sequence > 1 && !is_history,
            asked: None,
        });
        let is_another = epoch == peer.epoch && sequence.abs_diff(peer.sequence) > FURTHEST_APART;
        if is_another {
            (peer.sequence, peer.is_unplaced, peer.asked) = (sequence - 1, true, None);
        }
        if (epoch, sequence) <= (peer.epoch, peer.sequence) {
            return Admission::Late;
        }
        let before = if epoch == peer.epoch { peer.sequence } else { 0 };
        let missed = sequence.saturating_sub(before + 1).saturating_sub(update.retold.into());
        (peer.epoch, peer.sequence, peer.read_at) = (epoch, sequence, now);
        peer.is_unplaced |= missed > 0;
        if *peer.name != *update.name {
            peer.name = update.name.as_str().into();
        }
        if is_history {
            return Admission::Fresh { missed };
        }
        peer.heard_at = Some(now);
        let loads = update.loads.iter().map(|load| (load.endpoint, sent(load))).collect();
        let old = std::mem::replace(&mut peer.loads, loads);
        // Each once, however often it is listed.
        let listed = self.by_number.get(&replica).map(|peer| &peer.loads);
        let is_listed = |endpoint: &u64| listed.is_some_and(|loads| loads.contains_key(endpoint));
        listed.iter().flat_map(|loads| loads.keys()).for_each(|endpoint| touched(self, *endpoint));
        old.into_keys().filter(|endpoint| !is_listed(endpoint)).for_each(|endpoint| touched(self, endpoint));
        Admission::Fresh { missed }
    }

    /// Lets the longest silent go where there are too many; returns whether there is room for one more.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.by_number.len() < MAX_PEERS {
            return true;
        }
        let silent = self.by_number.iter().filter(|(_, peer)| peer.is_silent(now));
        let longest = silent.min_by_key(|(_, peer)| peer.read_at).map(|(number, _)| *number);
        longest.is_some_and(|number| self.by_number.remove(&number).is_some())
    }

    /// Drops the load of those who are silent.
    pub fn expire(&mut self, now: Instant) {
        self.by_number.retain(|_, peer| now.saturating_duration_since(peer.read_at) < REMEMBERED);
        let silent = self.by_number.values_mut().filter(|peer| peer.is_silent(now));
        silent.for_each(|peer| peer.loads = HashMap::default());
    }

    /// What all others have in flight at `endpoint`.
    pub fn sum(&self, endpoint: u64) -> Sent {
        let loads = self.by_number.values().filter_map(|peer| peer.loads.get(&endpoint));
        loads.fold(Sent::default(), |sum, load| sum.plus(*load))
    }

    /// Something that `replica` said has no place here.
    pub fn note_unplaced(&mut self, replica: u64) {
        self.by_number.entry(replica).and_modify(|peer| peer.is_unplaced = true);
    }

    /// `replica` was not asked after all.
    pub fn ask_again(&mut self, replica: u64) {
        self.by_number.entry(replica).and_modify(|peer| (peer.is_unplaced, peer.asked) = (true, None));
    }

    /// Who is to be asked now to tell all again.
    pub fn unplaced(&mut self, now: Instant) -> Vec<u64> {
        let since = |at| now.saturating_duration_since(at);
        let is_due = |peer: &Told| peer.asked.is_none_or(|(at, wait)| since(at) >= wait);
        let due = self.by_number.iter_mut().filter(|(_, peer)| peer.is_unplaced && is_due(peer));
        let mut asked: Vec<_> = due
            .map(|(number, peer)| {
                // Where asking again and again helps nothing, two replicas may take an engine's cache to be of two sizes.
                let again = peer.asked.filter(|(at, wait)| since(*at) < 2 * *wait);
                let wait = again.map_or(ASK_EVERY, |(_, wait)| (2 * wait).min(ASK_AT_LAST_EVERY));
                (peer.is_unplaced, peer.asked) = (false, Some((now, wait)));
                *number
            })
            .collect();
        asked.sort_unstable();
        asked
    }

    /// Those who are not silent.
    pub fn heard(&self, now: Instant) -> impl Iterator<Item = Peer> + '_ {
        self.by_number.iter().filter(move |(_, peer)| !peer.is_silent(now)).filter_map(|(replica, peer)| {
            Some(Peer { replica: *replica, name: Arc::clone(&peer.name), heard_at: peer.heard_at? })
        })
    }
}

impl Told {
    fn is_silent(&self, now: Instant) -> bool {
        self.heard_at.is_none_or(|at| now.saturating_duration_since(at) >= SILENCE)
    }
}

/// What `load` says, as far as it can be.
fn sent(load: &Load) -> Sent {
    let in_flight = load.in_flight.min(MAX_IN_FLIGHT);
    Sent {
        waiting_tokens: load.waiting_tokens.min(u64::from(in_flight) * MAX_TOKENS),
        waiting_requests: load.waiting_requests.min(in_flight),
        in_flight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(replica: u64, epoch: u64, sequence: u64, in_flight: &[(u64, u32)]) -> Update {
        let load = |&(endpoint, in_flight): &(u64, u32)| Load { endpoint, in_flight, ..Load::default() };
        Update { replica, epoch, sequence, loads: in_flight.iter().map(load).collect(), ..Update::default() }
    }

    fn admit(peers: &mut Peers, update: &Update, now: Instant) -> (Admission, Vec<u64>) {
        let mut touched = Vec::new();
        let admission = peers.admit(update, false, now, |_, endpoint| touched.push(endpoint));
        touched.sort_unstable();
        (admission, touched)
    }

    #[test]
    fn a_sum_is_of_all_who_are_not_silent_and_an_endpoint_that_is_not_listed_any_more_counts_nothing() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        admit(&mut peers, &update(1, 1, 1, &[(7, 2), (8, 1)]), now);
        admit(&mut peers, &update(2, 1, 1, &[(7, 3)]), now + SILENCE / 2);
        assert_eq!([7, 8].map(|endpoint| peers.sum(endpoint).in_flight), [5, 1]);
        let (_, touched) = admit(&mut peers, &update(1, 1, 2, &[(9, 3), (9, 4)]), now);
        assert_eq!(touched, [7, 8, 9]);
        assert_eq!([7, 8, 9].map(|endpoint| peers.sum(endpoint).in_flight), [3, 0, 4]);
        peers.expire(now + SILENCE);
        assert_eq!([7, 9].map(|endpoint| peers.sum(endpoint).in_flight), [3, 0]);
    }

    #[test]
    fn numbers_only_grow_and_a_new_life_begins_them_again() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let said = [(2, 5), (2, 5), (2, 4), (2, 8), (1, 99), (3, 1), (2, 9)]
            .map(|(epoch, sequence)| admit(&mut peers, &update(1, epoch, sequence, &[]), now).0);
        let fresh = |missed| Admission::Fresh { missed };
        let late = Admission::Late;
        assert_eq!(said, [fresh(0), late, late, fresh(2), late, fresh(0), late]);
        peers.expire(now + SILENCE);
        assert_eq!(admit(&mut peers, &update(1, 3, 1, &[]), now).0, late, "it was silent and is not forgotten");
    }

    #[test]
    fn history_makes_nobody_be_there_and_nobody_be_asked() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let mut told = |sequence, is_history| {
            peers.admit(&update(1, 1, sequence, &[(7, 2)]), is_history, now, |_, _| ());
            (peers.heard(now).count(), peers.sum(7).in_flight, peers.unplaced(now))
        };
        assert_eq!(
            [told(500, true), told(501, true), told(502, false)],
            [(0, 0, vec![]), (0, 0, vec![]), (1, 2, vec![])]
        );
    }

    #[test]
    fn who_missed_something_asks_once_in_a_while() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        admit(&mut peers, &update(1, 1, 1, &[]), now);
        assert!(peers.unplaced(now).is_empty());
        admit(&mut peers, &update(1, 1, 3, &[]), now);
        admit(&mut peers, &update(2, 1, 10, &[]), now);
        assert_eq!(peers.unplaced(now), [1, 2], "one update did not come, and nine came before we did");
        peers.note_unplaced(1);
        assert!(peers.unplaced(now + ASK_EVERY / 2).is_empty());
        assert_eq!(peers.unplaced(now + ASK_EVERY), [1]);
    }

    #[test]
    fn who_asks_in_vain_asks_less_and_less_often() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        admit(&mut peers, &update(1, 1, 1, &[]), now);
        let asked = |peers: &mut Peers, seconds| {
            peers.note_unplaced(1);
            !peers.unplaced(now + Duration::from_secs(seconds)).is_empty()
        };
        let seconds: Vec<_> = (0..2_000).filter(|seconds| asked(&mut peers, *seconds)).collect();
        assert_eq!(seconds, [0, 5, 15, 35, 75, 155, 315, 615, 915, 1_215, 1_515, 1_815]);
        assert!(asked(&mut peers, 3_000) && asked(&mut peers, 3_005), "it was long ago");
    }

    #[test]
    fn an_update_whose_news_are_told_again_was_not_missed() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        admit(&mut peers, &update(1, 1, 1, &[]), now);
        let retold = |sequence, retold| Update { retold, ..update(1, 1, sequence, &[]) };
        let missed = [retold(4, 2), retold(8, 2)].map(|update| admit(&mut peers, &update, now).0);
        assert_eq!(missed, [Admission::Fresh { missed: 0 }, Admission::Fresh { missed: 1 }]);
    }

    #[test]
    fn a_number_out_of_this_world_locks_nobody_out() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let said = [(1, 5), (1, u64::MAX), (1, 6), (1, 7), (1, 7 + FURTHEST_APART), (1, 8 + 2 * FURTHEST_APART)]
            .map(|(epoch, sequence)| admit(&mut peers, &update(1, epoch, sequence, &[(7, 1)]), now).0);
        let fresh = |missed| Admission::Fresh { missed };
        assert_eq!(said, [fresh(0), fresh(0), fresh(0), fresh(0), fresh(FURTHEST_APART - 1), fresh(0)]);
        assert_eq!((peers.sum(7).in_flight, peers.unplaced(now)), (1, vec![1]), "it is asked to tell all again");
    }

    #[test]
    fn noise_makes_no_more_replicas_than_any_pool_has() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for replica in 1..=MAX_PEERS as u64 {
            admit(&mut peers, &update(replica, 1, 1, &[(7, 1)]), now);
        }
        let late = u64::MAX;
        assert_eq!(admit(&mut peers, &update(late, 1, 1, &[(7, 1)]), now), (Admission::Crowded, vec![]));
        let later = now + SILENCE;
        admit(&mut peers, &update(1, 1, 2, &[(7, 1)]), later);
        assert_eq!(admit(&mut peers, &update(late, 1, 1, &[(7, 1)]), later).0, Admission::Fresh { missed: 0 });
        assert_eq!(peers.by_number.len(), MAX_PEERS);
        let heard: Vec<_> = peers.heard(later).map(|peer| peer.replica).collect();
        assert!(heard.len() == 2 && heard.contains(&1) && heard.contains(&late), "one of the silent had to go");
    }

    #[test]
    fn no_replica_says_more_than_any_has() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let all = Load { endpoint: 7, waiting_tokens: u64::MAX, waiting_requests: u32::MAX, in_flight: u32::MAX };
        let some = Load { endpoint: 8, in_flight: 2, ..all };
        let none = Load { endpoint: 9, in_flight: 0, ..all };
        for replica in [1, 2] {
            admit(&mut peers, &Update { loads: vec![all, some, none], ..update(replica, 1, 1, &[]) }, now);
        }
        let most = Sent { waiting_tokens: 1_600_000_000_000, waiting_requests: 200_000, in_flight: 200_000 };
        let few = Sent { waiting_tokens: 32_000_000, waiting_requests: 4, in_flight: 4 };
        assert_eq!([7, 8, 9].map(|endpoint| peers.sum(endpoint)), [most, few, Sent::default()]);
    }
}
