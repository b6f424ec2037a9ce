//! SIGTERM: what runs is finished, then the process ends.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::support::prompts::chat_stream;
use crate::support::{Answer, Gate, Protocol, World, engine, eventually, within};

#[tokio::test]
async fn sigterm_finishes_running_streams_of_events_and_then_exits_with_0() {
    let mut world = World::of(2).await;
    let (gate, events) = (Gate::closed(), engine::events(10));
    for engine in &world.engines {
        engine.answer(Answer::Events { events: events.clone(), gate: gate.clone() });
    }
    let mut streams = Vec::new();
    for protocol in Protocol::BOTH {
        let mut connection = world.connect(protocol).await;
        let request = chat_stream(None, "short", "hello");
        let response = within("the head", connection.send(request)).await.expect("a head");
        streams.push((connection, response.into_body()));
    }
    gate.let_pass(2);
    world.homing.books(2).await;

    world.homing.terminate();
    eventually("readiness is withdrawn", async || {
        (world.homing.page("metrics", "/readyz").await.status != 200).then_some(())
    })
    .await;
    assert!(world.homing.is_running(), "two streams are running");

    gate.open();
    for (_connection, mut stream) in streams {
        let mut bytes = BytesMut::new();
        while let Some(frame) = within("the next event", stream.frame()).await {
            bytes.extend_from_slice(frame.expect("no stream is cut").data_ref().expect("data"));
        }
        assert_eq!(bytes.freeze(), Bytes::from(events.concat()), "the stream is whole");
    }
    let status = world.homing.ended().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn an_idle_picker_exits_with_0_on_sigterm() {
    let mut world = World::of(1).await;
    world.chat(None, "short", "hello").await.ok();
    world.homing.terminate();
    assert_eq!(world.homing.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_stream_that_never_ends_does_not_outlast_the_drain_timeout() {
    let mut world = World::builder(1).flags(&["--drain-timeout", "300ms"]).start().await;
    world.engines[0].answer(Answer::Held(Gate::closed()));
    let mut connection = world.connect(Protocol::Http1).await;
    let endless = tokio::spawn(async move { drop(connection.send(chat_stream(None, "short", "hello")).await) });
    world.homing.books(1).await;
    world.homing.terminate();
    world.homing.ended().await;
    within("the client learns of it", endless).await.expect("the client ends");
}
