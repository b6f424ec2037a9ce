//! Sessions come back to their engine, and leave it only for a reason.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::prompts::{chat_stream, conversation, with};
use crate::support::{Answer, Engine, Gate, Protocol, World, chat, eventually, prompt};

const SESSIONS: usize = 24;

#[tokio::test]
async fn a_session_returns_to_its_engine() {
    let world = World::of(4).await;
    let sessions: Vec<String> = (0..SESSIONS).map(|n| format!("session-{n}")).collect();
    let mut homes: BTreeMap<&str, String> = BTreeMap::new();
    for turn in 1..=3 {
        for session in &sessions {
            let request = conversation(Some(session), turns(session, turn), false);
            let reply = world.exchange(request).await.ok();
            let home = homes.entry(session).or_insert_with(|| reply.served_by().to_owned());
            assert_eq!(reply.served_by(), home, "{session}, turn {turn}");
            if turn > 1 {
                assert_eq!(world.homing.decision().await.reason, "session", "{session}, turn {turn}");
            }
        }
    }
    let distinct: BTreeSet<&String> = homes.values().collect();
    assert!(distinct.len() > 1, "sessions spread: {homes:?}");
}

#[tokio::test]
async fn a_generated_session_returns_to_the_engine_that_saw_it_first() {
    let world = World::of(4).await;
    for n in 0..12 {
        let story = format!("story-{n}");
        let first = world.exchange(conversation(None, turns(&story, 1), false)).await.ok();
        for turn in 2..=3 {
            let request = conversation(Some(first.session()), turns(&story, turn), false);
            let again = world.exchange(request).await.ok();
            assert_eq!(again.served_by(), first.served_by(), "turn {turn}");
            assert_eq!(again.session(), first.session());
        }
        assert_eq!(world.homing.decision().await.reason, "session");
    }
}

#[tokio::test]
async fn an_id_is_one_session_whichever_header_carries_it() {
    let world = World::of(4).await;
    let story = prompt("one-session", 4_000);
    let first = world.exchange(with(chat(None, &story, "first"), "x-session-affinity", "the-same")).await.ok();
    let again = world.exchange(with(chat(None, &story, "again"), "x-session-id", "the-same")).await.ok();
    assert_eq!(again.served_by(), first.served_by());
    assert_eq!(world.homing.decision().await.reason, "session");
}

#[tokio::test]
async fn a_soft_session_leaves_a_home_that_costs_more_and_the_reason_says_load() {
    let (home, moved, reason) = return_to_a_busy_home("sessions: {affinity: soft}").await;
    assert_ne!(moved, home);
    assert_eq!(reason, "load");
}

#[tokio::test]
async fn a_hard_session_stays_at_a_busy_home() {
    let (home, stayed, reason) = return_to_a_busy_home("sessions: {affinity: hard}").await;
    assert_eq!(stayed, home);
    assert_eq!(reason, "session");
}

#[tokio::test]
async fn a_session_means_nothing_where_affinity_is_off() {
    let world = World::builder(4).config("sessions: {affinity: off}").start().await;
    let story = prompt("no-affinity", 4_000);
    world.chat(Some("somebody"), &story, "first").await.ok();
    world.chat(Some("somebody"), &story, "again").await.ok();
    assert_eq!(world.homing.decision().await.reason, "prefix");
}

#[tokio::test]
async fn a_killed_engine_moves_only_its_own_sessions() {
    lose_an_engine("sessions: {affinity: soft}", async |engine| engine.kill().await).await;
}

#[tokio::test]
async fn a_killed_engine_moves_only_its_own_hard_sessions() {
    lose_an_engine("sessions: {affinity: hard}", async |engine| engine.kill().await).await;
}

#[tokio::test]
async fn an_engine_that_answers_500_from_now_on_does_not_keep_its_sessions() {
    let fail = async |engine: &mut Engine| engine.answer(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    lose_an_engine("sessions: {affinity: soft}", fail).await;
}

/// Gives every session a home, loses one engine, and sees who moves: its sessions soon, the others never.
async fn lose_an_engine(config: &str, lose: impl AsyncFnOnce(&mut Engine)) {
    let mut world = World::builder(3).config(config).start().await;
    let sessions: Vec<String> = (0..SESSIONS).map(|n| format!("session-{n}")).collect();
    let mut homes = BTreeMap::new();
    for session in &sessions {
        let reply = world.exchange(conversation(Some(session), turns(session, 1), false)).await.ok();
        homes.insert(session.as_str(), reply.served_by().to_owned());
    }
    let victim = homes["session-0"].clone();
    lose(world.engine_mut(&victim)).await;

    for turn in 2..=3 {
        for session in &sessions {
            let mut attempts = 0;
            let request = || conversation(Some(session), turns(session, turn), false);
            let served_by = eventually(&format!("{session} is served"), async || {
                attempts += 1;
                let reply = world.exchange(request()).await;
                (reply.status == StatusCode::OK).then(|| reply.served_by().to_owned())
            })
            .await;
            let home = &homes[session.as_str()];
            if turn == 2 && *home == victim {
                assert_ne!(served_by, victim);
                assert!(attempts <= 12, "{session} was sent to a lost engine {attempts} times");
                homes.insert(session, served_by);
            } else {
                assert_eq!((&served_by, attempts), (home, 1), "{session} had no reason to move, turn {turn}");
            }
        }
    }
}

/// A session's home, then where it is served while the home is busy, and why.
async fn return_to_a_busy_home(config: &str) -> (String, String, String) {
    let world = World::builder(3).config(config).start().await;
    let story = prompt("busy-home", 32_000);
    let home = world.chat(Some("regular"), &story, "first").await.ok().served_by().to_owned();
    let gate = Gate::closed();
    world.engine(&home).answer(Answer::Held(gate.clone()));
    let mut busy = world.connect(Protocol::Http1).await;
    // It begins like the story, so that it goes to the home as well, and keeps it busy for long.
    let long = chat_stream(Some("regular"), &(story.clone() + &prompt("much-more", 256_000)), "second");
    let busy = tokio::spawn(async move { busy.exchange(long).await });
    world.homing.books(1).await;
    let busy_engine = world.homing.decision().await.endpoint;
    assert_eq!(busy_engine, home, "the long request was to go to the session's home");

    world.engines.iter().for_each(|engine| engine.answer(Answer::Held(gate.clone())));
    let mut connection = world.connect(Protocol::Http1).await;
    let request = chat(Some("regular"), &story, "third");
    let reply = tokio::spawn(async move { connection.exchange(request).await });
    world.homing.books(2).await;
    let decision = world.homing.decision().await;
    gate.open();
    reply.await.expect("the request ends").ok();
    busy.await.expect("the long request ends").ok();
    world.homing.ledger_reads_zero().await;
    (home, decision.endpoint, decision.reason)
}

/// The messages of a conversation's `turn`: its story, and everything that was said before.
fn turns(story: &str, turn: usize) -> Value {
    let said = (1..turn).flat_map(|n| {
        let question = prompt(&format!("{story} question {n}"), 600);
        [json!({"role": "user", "content": question}), json!({"role": "assistant", "content": "An answer."})]
    });
    let system = json!({"role": "system", "content": prompt(story, 4_000)});
    let question = json!({"role": "user", "content": prompt(&format!("{story} question {turn}"), 600)});
    [system].into_iter().chain(said).chain([question]).collect()
}
