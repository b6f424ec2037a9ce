//! Answering fast by failing is no reason to get more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::support::{Answer, ClosedPort, Protocol, World, chat, prompt};

const REQUESTS: usize = 160;
/// Three good engines and a bad one.
const FAIR_SHARE: usize = REQUESTS / 4;
/// Bytes of a prompt that costs more than a near-tie, and of one that costs less.
const LONG: usize = 2_000;
const SHORT: usize = 200;

#[tokio::test]
async fn an_idle_engine_that_refuses_connections_keeps_less_than_half_its_fair_share() {
    let dead = ClosedPort::keep();
    let world = World::builder(3).endpoint("dead", dead.address()).start().await;
    let failed = drive(&world, 1, LONG).await;
    assert!(failed < FAIR_SHARE / 2, "{failed} of {REQUESTS} went to an engine that refuses connections");
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn an_idle_engine_that_answers_500_at_once_keeps_less_than_half_its_fair_share() {
    let world = World::of(4).await;
    world.engine("r4").answer(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let failed = drive(&world, 1, LONG).await;
    assert!(failed < FAIR_SHARE / 2, "{failed} of {REQUESTS} went to an engine that answers 500");
    assert_eq!(failed, world.engine("r4").heads().len());
}

#[tokio::test]
async fn an_engine_that_refuses_connections_beside_busy_ones_keeps_less_than_its_fair_share() {
    let dead = ClosedPort::keep();
    let world = World::builder(3).endpoint("dead", dead.address()).start().await;
    take_time(&world);
    let failed = drive(&world, 6, LONG).await;
    assert!(failed < FAIR_SHARE, "{failed} of {REQUESTS} went to an engine that refuses connections");
}

#[tokio::test]
async fn an_engine_that_answers_500_at_once_beside_busy_ones_keeps_less_than_its_fair_share() {
    let world = World::of(4).await;
    take_time(&world);
    world.engine("r4").answer(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let failed = drive(&world, 6, LONG).await;
    assert!(failed < FAIR_SHARE, "{failed} of {REQUESTS} went to an engine that answers 500");
}

#[tokio::test]
async fn short_prompts_are_not_drawn_to_an_engine_that_answers_500_at_once() {
    let world = World::of(4).await;
    take_time(&world);
    world.engine("r4").answer(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let failed = drive(&world, 6, SHORT).await;
    assert!(failed < FAIR_SHARE / 2, "{failed} of {REQUESTS} went to an engine that answers 500");
}

#[tokio::test]
async fn the_only_engine_gets_everything_however_it_fails() {
    let world = World::of(1).await;
    world.engines[0].answer(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    for _ in 0..10 {
        assert_eq!(world.chat(None, "short", "hello").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    world.engines[0].answer(Answer::Completion);
    world.chat(None, "short", "hello").await.ok();
}

/// Answers that take as long as a short one of an engine does.
fn take_time(world: &World) {
    world.engines.iter().for_each(|engine| engine.answer(Answer::After(Duration::from_millis(40))));
}

/// Sends [`REQUESTS`] prompts of this size, of new sessions, `at_once` at a time; how many failed.
async fn drive(world: &World, at_once: usize, prompt_bytes: usize) -> usize {
    let failed = Arc::new(AtomicUsize::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..at_once {
        let mut connection = world.connect(Protocol::Http1).await;
        let failed = Arc::clone(&failed);
        workers.spawn(async move {
            for n in (worker..REQUESTS).step_by(at_once) {
                let session = format!("newcomer-{n}");
                let reply = connection.exchange(chat(Some(&session), &prompt(&session, prompt_bytes), "hello")).await;
                if reply.status != StatusCode::OK {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("a worker ends");
    }
    failed.load(Ordering::Relaxed)
}
