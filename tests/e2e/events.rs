//! Streams of events pass one by one, as they come, and unchanged.

use bytes::Bytes;

use crate::support::prompts::chat_stream;
use crate::support::{Answer, Gate, Protocol, World, body, engine, within};

#[tokio::test]
async fn every_event_is_delivered_before_the_next_one_exists() {
    let world = World::of(1).await;
    for protocol in Protocol::BOTH {
        let (gate, events) = (Gate::closed(), engine::events(20));
        world.engines[0].answer(Answer::Events { events: events.clone(), gate: gate.clone() });
        let mut connection = world.connect(protocol).await;
        let response = within("the head", connection.send(chat_stream(None, "short", "hello"))).await.expect("a head");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = response.into_body();
        for event in &events {
            gate.let_pass(1);
            assert_eq!(body::read(&mut stream, event.len()).await, event, "{protocol:?}");
        }
        assert_eq!(body::read_to_end(stream).await, Bytes::new(), "nothing follows the last event");
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn a_long_stream_of_events_arrives_unmodified() {
    let world = World::of(1).await;
    let (gate, events) = (Gate::closed(), engine::events(2_000));
    gate.open();
    world.engines[0].answer(Answer::Events { events: events.clone(), gate });
    for protocol in Protocol::BOTH {
        let reply = world.connect(protocol).await.exchange(chat_stream(None, "short", "hello")).await.ok();
        assert!(reply.body == events.concat(), "{protocol:?}: {} bytes came", reply.body.len());
    }
}
