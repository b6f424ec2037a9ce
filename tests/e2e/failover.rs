//! Two replicas of the picker behind Envoy as the examples set it up, of which one goes away.
//!
//! Each request is numbered, and its number is its request id. Which replica had it is read from the decisions of the
//! one that lives; when Envoy noticed is a number too. No clock is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::support::prompts::chat_stream;
use crate::support::{Answer, Gate, Homing, Protocol, Reply, engine, eventually, within};

use load::{Load, Outcome, request_id};
use pair::Pair;
use shipped::patient;

mod load;
mod pair;
mod shipped;
mod windows;

/// More than any of these tests sends while one replica is away: its decisions are all remembered.
const DECISIONS: usize = 1_024;

#[tokio::test]
async fn of_two_replicas_that_are_killed_in_turn_each_fails_only_what_it_had_or_was_sent_before_envoy_noticed() {
    let mut pair = Pair::start(&patient()).await;
    let load = Load::start(pair.address());
    load.flows(50).await;
    let mut turns = Vec::new();
    for (killed, other) in [(0, 1), (1, 0)] {
        let before = load.failed();
        pair.replicas[killed].kill();
        let kill = load.next();
        pair.is(&[killed != 0, killed != 1]).await;
        let noticed = noticed(&pair, &load).await;
        load.flows(100).await;
        turns.push((before, kill, noticed, picked(&pair.replicas[other]).await));

        pair.replace(killed).await;
        pair.is(&[true, true]).await;
        load.flows(100).await;
        assert!(!pair.replicas[killed].decisions(1).await.is_empty(), "the new process is asked as well");
    }
    let sent = load.next();
    let outcomes = load.ends().await;

    let mut explained = BTreeSet::new();
    for (before, kill, noticed, survivors) in turns {
        let failed = failed(&outcomes, 0..noticed);
        let failed: Vec<_> = failed.into_iter().filter(|number| !explained.contains(number)).collect();
        let (flying, later) = failed.iter().partition::<Vec<usize>, _>(|number| **number < kill);
        println!("failed: {} that were under way, {} of those sent until Envoy noticed", flying.len(), later.len());
        for number in &failed {
            assert!(!survivors.contains(&request_id(*number)), "{number} failed at the replica that lives");
        }
        assert!(failed.iter().all(|number| !before.contains(number)), "some of {failed:?} failed before the kill");
        explained.extend(failed);
    }
    let unexplained: Vec<_> = failed(&outcomes, 0..sent).into_iter().filter(|it| !explained.contains(it)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?} failed though Envoy knew who is there");
}

#[tokio::test]
async fn answers_that_the_other_replica_carries_are_not_touched_by_a_kill() {
    let mut pair = Pair::start(&patient()).await;
    let (gate, events) = (Gate::closed(), engine::events(10));
    for engine in &pair.engines {
        engine.answer(Answer::Events { events: events.clone(), gate: gate.clone() });
    }
    let mut streams = Vec::new();
    for number in 0..12 {
        let mut connection = pair.envoy.connect(Protocol::Http1).await;
        let request = chat_stream(None, "short", &format!("question {number}"));
        streams.push(tokio::spawn(async move {
            let response = connection.send(request).await.ok()?;
            Reply::read(response).await.ok().map(|reply| reply.body)
        }));
    }
    let [first, second] = &pair.replicas;
    eventually("all are under way", async || (first.in_flight().await + second.in_flight().await == 12).then_some(()))
        .await;
    let (lost, kept) = (first.in_flight().await, second.in_flight().await);
    assert!(lost > 0 && kept > 0, "Envoy sends to both: {lost}, {kept}");

    pair.replicas[0].kill();
    pair.is(&[false, true]).await;
    gate.open();
    let mut whole = 0;
    for stream in streams {
        let body = within("an answer or its end", stream).await.expect("a client does not panic");
        whole += u64::from(body.is_some_and(|body| body == events.concat()));
    }
    assert_eq!(whole, kept, "whole are those of the replica that lives, cut are those of the other");
}

#[tokio::test]
async fn two_replicas_that_are_asked_to_end_in_turn_fail_no_request() {
    let mut pair = Pair::start(&patient()).await;
    let load = Load::start(pair.address());
    load.flows(50).await;
    for which in [0, 1] {
        pair.replicas[which].terminate();
        pair.is(&[which != 0, which != 1]).await;
        assert_eq!(pair.replicas[which].ended().await.code(), Some(0));
        load.flows(50).await;
        pair.replace(which).await;
        pair.is(&[true, true]).await;
        load.flows(50).await;
    }
    let sent = load.next();
    let outcomes = load.ends().await;
    assert_eq!(failed(&outcomes, 0..sent), [0; 0], "of {sent} requests");
}

#[tokio::test]
async fn clients_that_leave_and_engines_that_break_eject_no_replica() {
    let pair = Pair::start(&patient()).await;
    for engine in &pair.engines {
        engine.answer(Answer::Held(Gate::closed()));
    }
    let [first, second] = &pair.replicas;
    for round in 0..5 {
        let mut leaving = Vec::new();
        for number in 0..10 {
            let mut connection = pair.envoy.connect(Protocol::Http1).await;
            let request = chat_stream(None, "short", &format!("question {round} {number}"));
            leaving.push(tokio::spawn(async move { drop(connection.send(request).await) }));
        }
        eventually("all are under way", async || {
            (first.in_flight().await + second.in_flight().await == 10).then_some(())
        })
        .await;
        leaving.iter().for_each(tokio::task::JoinHandle::abort);
        first.ledger_reads_zero().await;
        second.ledger_reads_zero().await;
    }
    for engine in &pair.engines {
        engine.answer(Answer::Reset);
    }
    for number in 0..20 {
        let request = chat_stream(None, "short", &format!("question {number}"));
        let reply = pair.envoy.connect(Protocol::Http1).await.exchange(request).await;
        assert_eq!(reply.status, 503);
    }
    assert_eq!(pair.envoy.stat("cluster.picker.outlier_detection.ejections_enforced_total").await, 0);
}

#[tokio::test]
async fn the_last_replica_is_not_ejected() {
    let mut pair = Pair::start(&patient()).await;
    for which in [0, 1] {
        let mut hurried = pair.envoy.connect(Protocol::Http1).await;
        pair.replicas[which].kill();
        // Whatever becomes of it: it may be the one by which Envoy learns.
        let _either = hurried.send(chat_stream(None, "short", "hello")).await;
    }
    pair.is(&[false, false]).await;
    let ejected = pair.envoy.pickers().await.iter().filter(|host| host.ejected).count();
    assert!(ejected <= 1, "half of two is one");
    pair.replace(1).await;
    pair.is(&[false, true]).await;
    all_are_answered(&pair).await;
}

/// The number of the first request that is sent after Envoy's workers know what its admin port has just told.
async fn noticed(pair: &Pair, load: &Load) -> usize {
    // The workers are told before the page is made; a page later they have had their turn.
    let _page = pair.envoy.pickers().await;
    load.next()
}

/// Some requests in a row.
async fn all_are_answered(pair: &Pair) {
    for engine in &pair.engines {
        engine.answer(Answer::Completion);
    }
    for number in 0..10 {
        let request = chat_stream(None, "short", &format!("later question {number}"));
        pair.envoy.connect(Protocol::Http1).await.exchange(request).await.ok();
    }
}

/// Ids of the requests that a replica has decided on.
async fn picked(replica: &Homing) -> BTreeSet<String> {
    let decisions = replica.decisions(DECISIONS).await;
    decisions.iter().filter_map(|decision| decision.document["requestId"].as_str().map(str::to_owned)).collect()
}

/// Those of these requests that failed.
fn failed(outcomes: &BTreeMap<usize, Outcome>, numbers: Range<usize>) -> Vec<usize> {
    outcomes.range(numbers).filter(|(_, outcome)| !outcome.is_good()).map(|(number, _)| *number).collect()
}
