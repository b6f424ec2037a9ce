//! A rolling restart of the engines under load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::node::site::Wishes;
use crate::node::{Answered, Load, Site};

const ENGINES: usize = 8;
/// Requests a second.
const RATE: u32 = 200;

/// What clients saw.
struct Seen {
    answers: Vec<Answered>,
    /// The first epoch in which a pod was known to end, of each that ended.
    ended: BTreeMap<String, u64>,
    /// What Homing counted.
    moved: f64,
}

/// A session's next answer came from another pod.
struct Move<'a> {
    session: &'a str,
    from: &'a str,
    to: &'a str,
    reason: &'a str,
    epoch: u64,
}

#[tokio::test]
async fn a_rolling_restart_fails_no_request_and_moves_a_hard_session_only_when_its_home_ends() {
    let seen = rolling_restart("hard", Some(5)).await;
    assert_eq!(seen.failures(), BTreeMap::new());
    let mut left = BTreeSet::new();
    for Move { session, from, to, reason, epoch } in seen.moves() {
        assert_eq!(reason, "moved", "{session} from {from}");
        let ended = *seen.ended.get(from).unwrap_or_else(|| panic!("{session} moved from {from}, which never ended"));
        // What is looked at after an answer has come sees all that the answer could have been due to.
        assert!(ended <= epoch + 1, "{session} moved from {from} in epoch {epoch}, before its end in {ended}");
        assert!(left.insert((session, from)), "{session} moved twice from {from}");
        assert!(!left.contains(&(session, to)), "{session} went back to {to}");
    }
    assert!(left.len() >= 20, "sessions had homes on pods that ended, but only {} moves were seen", left.len());
}

#[tokio::test]
async fn a_rolling_restart_fails_no_request_and_tells_why_a_soft_session_moves() {
    let seen = rolling_restart("soft", Some(5)).await;
    assert_eq!(seen.failures(), BTreeMap::new());
    let moves = seen.moves();
    assert!(!moves.is_empty(), "sessions had homes on pods that ended, but no move was seen");
    for Move { session, from, reason, epoch, .. } in moves {
        let ended = seen.ended.get(from).is_some_and(|ended| *ended <= epoch + 1);
        // `session` is the reason of those that stay.
        assert!(["moved", "load", "prefix"].contains(&reason), "{session} from {from}: {reason}");
        assert!(ended || reason != "moved", "{session} moved from {from}, which had not ended");
    }
}

#[tokio::test]
async fn one_pod_that_is_deleted_moves_no_session_of_another() {
    let site = site("hard", Some(5)).await;
    let gateway = site.gateway().await;
    let load = Load::start(gateway.address(), RATE).await;
    let deleted = site.engines[0].name.as_str();
    site.cluster.delete_pod(deleted).await;
    site.cluster
        .eventually("it is no more", async || {
            site.cluster.pods("app=engine").await.iter().all(|pod| pod.name != deleted).then_some(())
        })
        .await;
    load.flows(400).await;
    let seen = Seen { answers: load.answers(), ended: BTreeMap::new(), moved: 0.0 };
    assert_eq!(seen.failures(), BTreeMap::new());
    let moves = seen.moves();
    assert!(!moves.is_empty(), "the pod that was deleted was a home");
    assert!(moves.iter().all(|gone| gone.from == deleted), "sessions of other pods stay");
    let sessions: BTreeSet<&str> = moves.iter().map(|gone| gone.session).collect();
    assert_eq!(sessions.len(), moves.len(), "each moves once");
}

#[tokio::test]
#[ignore = "a figure for docs/kubernetes.md: engines that end at once fail requests, and nobody can help that"]
async fn what_a_rolling_restart_costs_where_engines_end_at_once() {
    let seen = rolling_restart("hard", None).await;
    println!("failed, by what clients saw: {:#?}", seen.failures());
}

async fn site(affinity: &str, pre_stop: Option<u32>) -> Site {
    let config = format!("sessions: {{affinity: {affinity}}}");
    Site::start(Wishes { replicas: 1, engines: ENGINES, pre_stop, config: &config }).await
}

/// Restarts all engines, as `kubectl rollout restart` does, and watches.
async fn rolling_restart(affinity: &str, pre_stop: Option<u32>) -> Seen {
    let site = site(affinity, pre_stop).await;
    let gateway = site.gateway().await;
    let load = Load::start(gateway.address(), RATE).await;
    let (cluster, began, before) = (&site.cluster, Instant::now(), load.answers().len());
    cluster.restart("engine").await;
    let mut ended = BTreeMap::new();
    cluster
        .eventually("all engines are new", async || {
            let epoch = load.next_epoch();
            let pods = cluster.pods("app=engine").await;
            for old in &site.engines {
                if pods.iter().all(|pod| pod.name != old.name || pod.ending) {
                    ended.entry(old.name.clone()).or_insert(epoch);
                }
            }
            let new = |name: &str| site.engines.iter().all(|old| old.name != name);
            (pods.len() == ENGINES && pods.iter().all(|pod| pod.ready && new(&pod.name))).then_some(())
        })
        .await;
    let took = began.elapsed();
    load.flows(400).await;
    let answers = load.answers();
    let moved = cluster.metric(&site.pickers[0], "homing_moved_sessions_total").await;
    let seen = Seen { answers, ended, moved };
    assert!(seen.moved >= seen.moves().len() as f64, "Homing counts each move that clients saw");
    seen.print(affinity, pre_stop, (seen.answers.len() - before) as f64 / began.elapsed().as_secs_f64());
    println!("the restart took {took:.1?}");
    seen
}

impl Seen {
    /// Failed answers, counted by what was wrong.
    fn failures(&self) -> BTreeMap<&str, usize> {
        let failed = self.answers.iter().map(|answer| answer.failure.as_str()).filter(|failure| !failure.is_empty());
        counted(failed)
    }

    /// Every move of every session, in their order.
    fn moves(&self) -> Vec<Move<'_>> {
        let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
        let mut moves = Vec::new();
        for Answered { session, pod, reason, epoch, .. } in
            self.answers.iter().filter(|answer| answer.failure.is_empty())
        {
            if let Some(from) = homes.insert(session, pod).filter(|from| from != pod) {
                moves.push(Move { session, from, to: pod, reason, epoch: *epoch });
            }
        }
        moves
    }

    fn print(&self, affinity: &str, pre_stop: Option<u32>, rate: f64) {
        let sessions: BTreeSet<&str> = self.answers.iter().map(|answer| answer.session.as_str()).collect();
        let moves = self.moves();
        let moved: BTreeSet<&str> = moves.iter().map(|session| session.session).collect();
        println!(
            "{affinity}, preStop {pre_stop:?}: {} answers at {rate:.0}/s, {} failed; {} of {} sessions moved {} times, \
             by reason {:?}; Homing counts {}",
            self.answers.len(),
            self.failures().values().sum::<usize>(),
            moved.len(),
            sessions.len(),
            moves.len(),
            counted(moves.iter().map(|session| session.reason)),
            self.moved,
        );
    }
}

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    words.fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word).or_default() += 1;
        counts
    })
}
