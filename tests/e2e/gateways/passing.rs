//! Bodies and events.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::table::{Buffers, Gateway};
use crate::support::prompts::{chat_of_size, chat_stream};
use crate::support::{Answer, Connection, Gate, Protocol, World, body, engine, post, within};

const CHAT: &str = "/v1/chat/completions";

pub async fn pass(gateway: &Gateway) {
    let world = gateway.world(1, &[0]).await;
    for protocol in Protocol::BOTH {
        events(gateway, &world, &mut world.connect(protocol).await).await;
        for size in [10_000, gateway.buffers.much()] {
            // A gateway that refuses a body closes its connection.
            prompt(gateway, &world, &mut world.connect(protocol).await, size).await;
            answer(gateway, &world, &mut world.connect(protocol).await, size).await;
        }
    }
    world.homing.ledger_reads_zero().await;
}

/// Each before the next one exists, unless the gateway waits for all.
async fn events(gateway: &Gateway, world: &World, connection: &mut Connection) {
    let (gate, events) = (Gate::closed(), engine::events(10));
    world.engines[0].answer(Answer::Events { events: events.clone(), gate: gate.clone() });
    if gateway.buffers == Buffers::Both {
        gate.open();
        let reply = connection.exchange(chat_stream(None, "short", "hello")).await.ok();
        assert_eq!(reply.body, events.concat());
        return;
    }
    let response = within("the head", connection.send(chat_stream(None, "short", "hello"))).await.expect("a head");
    let mut stream = response.into_body();
    for event in &events {
        gate.let_pass(1);
        assert_eq!(body::read(&mut stream, event.len()).await, event);
    }
    assert_eq!(body::read_to_end(stream).await, Bytes::new());
}

async fn prompt(gateway: &Gateway, world: &World, connection: &mut Connection, size: usize) {
    world.engines[0].answer(Answer::Digest);
    let sent = chat_of_size(size);
    let reply = connection.exchange(post(CHAT, body::full(sent.clone()))).await;
    if gateway.buffers == Buffers::Both && size == gateway.buffers.much() {
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        return;
    }
    assert_eq!(reply.ok().json()["length"], size);
    assert!(world.engines[0].requests().last().expect("it has arrived").body == sent, "{size} bytes");
}

async fn answer(gateway: &Gateway, world: &World, connection: &mut Connection, length: usize) {
    world.engines[0].answer(Answer::Trailers { length, trailers: HeaderMap::new() });
    let reply = connection.exchange(post(CHAT, body::full("{}"))).await;
    if gateway.buffers == Buffers::Both && length == gateway.buffers.much() {
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        return;
    }
    assert!(reply.ok().body == vec![b'x'; length], "{length} bytes");
}
