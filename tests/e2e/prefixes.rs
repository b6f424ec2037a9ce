//! A prompt goes where its beginning is held, unless waiting there costs more.

use crate::support::prompts::chat_stream;
use crate::support::{Answer, Gate, Protocol, World, chat, prompt};

#[tokio::test]
async fn a_long_system_prompt_goes_to_the_engine_that_holds_it() {
    let world = World::of(4).await;
    for n in 0..4 {
        let system = prompt(&format!("tenant-{n}"), 16_000);
        let holder = world.chat(None, &system, "a first question").await.ok().served_by().to_owned();
        for question in 0..6 {
            let reply = world.chat(None, &system, &format!("question {question}")).await.ok();
            assert_eq!(reply.served_by(), holder);
            assert_eq!(world.homing.decision().await.reason, "prefix");
        }
    }
}

#[tokio::test]
async fn load_moves_a_prompt_away_from_a_busy_engine_that_holds_it() {
    let world = World::of(3).await;
    let system = prompt("popular", 16_000);
    let holder = world.chat(None, &system, "a first question").await.ok().served_by().to_owned();
    let gate = Gate::closed();
    world.engine(&holder).answer(Answer::Held(gate.clone()));
    let mut connection = world.connect(Protocol::Http2).await;
    let long = chat_stream(None, &(system.clone() + &prompt("a-long-document", 256_000)), "summarise");
    let busy = tokio::spawn(async move { connection.exchange(long).await });
    world.homing.books(1).await;
    assert_eq!(world.homing.decision().await.endpoint, holder, "a longer prompt with that beginning goes there too");

    let reply = world.chat(None, &system, "a second question").await.ok();
    assert_ne!(reply.served_by(), holder);
    assert_eq!(world.homing.decision().await.reason, "load");
    gate.open();
    busy.await.expect("the long request ends").ok();
}

#[tokio::test]
async fn short_prompts_of_new_sessions_spread_over_all_engines() {
    let world = World::of(4).await;
    for n in 0..60 {
        world.exchange(chat(Some(&format!("newcomer-{n}")), "short", "hello")).await.ok();
    }
    for engine in &world.engines {
        let served = engine.requests().len();
        assert!((2..=35).contains(&served), "{} served {served} of 60", engine.name());
    }
    assert_eq!(world.homing.decision().await.reason, "load");
}
