//! Every byte arrives: bodies of all sizes, in both directions, over both protocols.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};

use crate::support::body::{self, Body};
use crate::support::envoy::{Destination, Options};
use crate::support::prompts::chat_of_size;
use crate::support::{Answer, Protocol, World, get, post};

/// Nothing; little; one piece of Homing's; a little more than that; and much more than Envoy buffers.
const SIZES: [usize; 6] = [0, 1024, 62_000, 64 * 1024, 1024 * 1024, 20 * 1024 * 1024];

#[tokio::test]
async fn bodies_of_every_size_reach_the_engine_unchanged_over_http1() {
    send_every_size(Protocol::Http1, Options::default()).await;
}

#[tokio::test]
async fn bodies_of_every_size_reach_the_engine_unchanged_over_http2() {
    send_every_size(Protocol::Http2, Options::default()).await;
}

#[tokio::test]
async fn bodies_of_every_size_reach_the_engine_unchanged_through_a_gateway_that_buffers_a_megabyte() {
    send_every_size(Protocol::Http1, Options { buffer_limit: None, ..Options::default() }).await;
}

#[tokio::test]
async fn bodies_of_every_size_reach_the_engine_that_the_metadata_names() {
    send_every_size(Protocol::Http2, Options { destination: Destination::Metadata, ..Options::default() }).await;
}

async fn send_every_size(protocol: Protocol, envoy: Options) {
    let world = World::builder(1).envoy(envoy).start().await;
    let engine = &world.engines[0];
    engine.answer(Answer::Digest);
    let mut connection = world.connect(protocol).await;
    for size in SIZES {
        let sent = chat_of_size(size);
        let whole = body::full(sent.clone());
        let chunked = body::pieces(sent.chunks(10_000).map(Bytes::copy_from_slice).collect(), None);
        for body in [whole, chunked] {
            let before = engine.requests().len();
            let reply = connection.exchange(post("/v1/chat/completions", body)).await.ok();
            assert_eq!(reply.json()["length"], size, "{protocol:?}");
            let arrived = engine.requests();
            assert_eq!(arrived.len(), before + 1, "{size} bytes arrive once");
            assert!(arrived[before].body == sent, "{size} bytes over {protocol:?} have changed on their way");
        }
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn answers_of_every_size_reach_the_client_unchanged() {
    let world = World::of(1).await;
    for protocol in Protocol::BOTH {
        let mut connection = world.connect(protocol).await;
        for length in SIZES {
            world.engines[0].answer(Answer::Trailers { length, trailers: HeaderMap::new() });
            let reply = connection.exchange(post("/v1/chat/completions", body::full("{}"))).await.ok();
            assert!(reply.body == vec![b'x'; length], "{length} bytes over {protocol:?}: {} came", reply.body.len());
        }
    }
}

#[tokio::test]
async fn get_and_head_are_answered() {
    let world = World::of(2).await;
    for protocol in Protocol::BOTH {
        let mut connection = world.connect(protocol).await;
        let reply = connection.exchange(get("/v1/models")).await.ok();
        assert!(!reply.body.is_empty());
        let reply = connection.exchange(bodiless(Method::HEAD)).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0));
        let reply = connection.exchange(bodiless(Method::DELETE)).await;
        assert_eq!(reply.status, StatusCode::OK);
    }
    world.homing.ledger_reads_zero().await;
}

fn bodiless(method: Method) -> Request<Body> {
    let mut request = get("/v1/models");
    *request.method_mut() = method;
    request
}
