//! The oldest and the newest Envoy that the wheel offers, and both ways to tell them a destination.
//!
//! What holds for every version is proved here for these two; all other tests run with the newest. Where the
//! oldest does less, `docs/install-envoy.md` says so, and a test here.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use xxhash_rust::xxh3::xxh3_64;

use crate::support::envoy::{Destination, Options};
use crate::support::prompts::{chat_of_size, chat_stream, with};
use crate::support::{Answer, Connection, Gate, Protocol, World, body, engine, get, post, within};

const OLDEST: &str = "1.36.2";
const NEWEST: &str = "1.40.0";

const CHAT: &str = "/v1/chat/completions";
const MEGABYTE: usize = 1024 * 1024;

#[tokio::test]
async fn the_oldest_envoy_serves_the_address_in_the_header() {
    serve(OLDEST, Destination::Header).await;
}

#[tokio::test]
async fn the_oldest_envoy_serves_the_address_in_the_metadata() {
    serve(OLDEST, Destination::Metadata).await;
}

#[tokio::test]
async fn the_newest_envoy_serves_the_address_in_the_header() {
    serve(NEWEST, Destination::Header).await;
}

#[tokio::test]
async fn the_newest_envoy_serves_the_address_in_the_metadata() {
    serve(NEWEST, Destination::Metadata).await;
}

#[tokio::test]
async fn both_envoys_serve_bodies_that_they_do_not_show() {
    let mut worlds = Vec::new();
    for version in [OLDEST, NEWEST] {
        for destination in [Destination::Header, Destination::Metadata] {
            let world = world(version, destination, ["NONE"; 2]).await;
            piecewise(&world, 10_000).await;
            worlds.push(world);
        }
    }
    // An answer whose end is not seen is booked for as long as it should take, some seconds: all wait together.
    for World { homing, .. } in worlds {
        homing.ledger_reads_zero().await;
    }
}

#[tokio::test]
async fn bodies_of_megabytes_arrive_once_and_whole_through_the_oldest_envoy() {
    send_megabytes(OLDEST).await;
}

#[tokio::test]
async fn bodies_of_megabytes_arrive_once_and_whole_through_the_newest_envoy() {
    send_megabytes(NEWEST).await;
}

#[tokio::test]
async fn the_oldest_envoy_keeps_its_own_replies_to_itself_and_leaves_no_booking() {
    for (version, session) in [(OLDEST, ""), (NEWEST, "mine")] {
        let world = world(version, Destination::Header, ["FULL_DUPLEX_STREAMED"; 2]).await;
        world.engines[0].answer(Answer::Reset);
        let reply = world.chat(Some("mine"), "short", "hello").await;
        assert_eq!((reply.status, reply.session()), (StatusCode::SERVICE_UNAVAILABLE, session), "{version}");
        world.homing.ledger_reads_zero().await;
    }
}

/// One engine in the pool, and one beside it for spoofed destinations.
async fn world(version: &'static str, destination: Destination, body_modes: [&'static str; 2]) -> World {
    let buffer_limit = body_modes.contains(&"FULL_DUPLEX_STREAMED").then_some(32 * 1024);
    let envoy = Options { destination, body_modes, buffer_limit, version: Some(version), ..Options::default() };
    World::builder(2).pool(&[0]).envoy(envoy).start().await
}

async fn serve(version: &'static str, destination: Destination) {
    let duplex = world(version, destination, ["FULL_DUPLEX_STREAMED"; 2]).await;
    for protocol in Protocol::BOTH {
        let mut connection = duplex.connect(protocol).await;
        no_body(&duplex, &mut connection).await;
        bodies(&duplex, &mut connection, &[1024, MEGABYTE]).await;
        events_one_by_one(&duplex, &mut connection).await;
        trailers(&duplex, &mut connection).await;
    }
    duplex.homing.ledger_reads_zero().await;

    for mode in ["BUFFERED", "STREAMED"] {
        let world = world(version, destination, [mode; 2]).await;
        piecewise(&world, 300_000).await;
        world.homing.ledger_reads_zero().await;
    }
}

/// What holds in every body mode, up to bodies of `size` bytes.
async fn piecewise(world: &World, size: usize) {
    for protocol in Protocol::BOTH {
        let mut connection = world.connect(protocol).await;
        no_body(world, &mut connection).await;
        bodies(world, &mut connection, &[1024, size]).await;
        events(world, &mut connection).await;
    }
}

/// GET, the session's echo and a spoofed destination.
async fn no_body(world: &World, connection: &mut Connection) {
    let spoofed = world.engines[1].address().to_string();
    world.engines[0].answer(Answer::Completion);
    let request = with(get("/v1/models"), "x-gateway-destination-endpoint", &spoofed);
    let reply = connection.exchange(with(request, "x-session-id", "mine")).await.ok();
    assert_eq!((reply.served_by(), reply.session()), ("r1", "mine"));
    assert!(world.engines[1].heads().is_empty());
}

async fn bodies(world: &World, connection: &mut Connection, sizes: &[usize]) {
    let spoofed = world.engines[1].address().to_string();
    world.engines[0].answer(Answer::Digest);
    for size in sizes {
        let sent = chat_of_size(*size);
        let request = with(post(CHAT, body::full(sent.clone())), "x-gateway-destination-endpoint", &spoofed);
        let reply = connection.exchange(with(request, "x-session-id", "mine")).await.ok();
        assert_eq!((reply.served_by(), reply.session()), ("r1", "mine"));
        assert!(world.engines[0].requests().last().expect("it has arrived").body == sent, "{size} bytes");
    }
    assert!(world.engines[1].heads().is_empty());
}

async fn events(world: &World, connection: &mut Connection) {
    let (gate, events) = (Gate::closed(), engine::events(20));
    gate.open();
    world.engines[0].answer(Answer::Events { events: events.clone(), gate });
    let reply = connection.exchange(chat_stream(Some("mine"), "short", "hello")).await.ok();
    assert_eq!((reply.body, reply.headers["x-session-id"].as_bytes()), (events.concat().into(), &b"mine"[..]));
}

/// Each event reaches the client before the engine sends the next one.
async fn events_one_by_one(world: &World, connection: &mut Connection) {
    let (gate, events) = (Gate::closed(), engine::events(5));
    world.engines[0].answer(Answer::Events { events: events.clone(), gate: gate.clone() });
    gate.let_pass(1);
    let response = within("the head", connection.send(chat_stream(Some("mine"), "short", "hello"))).await;
    let response = response.expect("a head");
    assert_eq!(response.headers()["x-session-id"], "mine");
    let mut stream = response.into_body();
    for event in &events {
        let mut read = Vec::new();
        while read.len() < event.len() {
            let frame = within("the next event", stream.frame()).await.expect("more to come").expect("no error");
            read.extend_from_slice(frame.data_ref().expect("data"));
        }
        assert_eq!(read, event[..]);
        gate.let_pass(1);
    }
    within("the end", stream.collect()).await.expect("no error");
}

/// In both directions, after a body.
async fn trailers(world: &World, connection: &mut Connection) {
    let checksum = || HeaderMap::from_iter([("x-checksum".parse().expect("a name"), "abc".parse().expect("a value"))]);
    world.engines[0].answer(Answer::Trailers { length: 100_000, trailers: checksum() });
    let sent = chat_of_size(100_000);
    let pieces = sent.chunks(50_000).map(Bytes::copy_from_slice).collect();
    let request = with(post(CHAT, body::pieces(pieces, Some(checksum()))), "trailer", "x-checksum");
    let reply = connection.exchange(with(request, header::TE.as_str(), "trailers")).await.ok();
    assert_eq!(reply.body.len(), 100_000);
    assert_eq!(reply.trailers.expect("trailers of the answer")["x-checksum"], "abc");
    let arrived = world.engines[0].requests().pop().expect("it has arrived");
    assert!(arrived.body == sent);
    assert_eq!(arrived.trailers.expect("trailers of the request")["x-checksum"], "abc");
}

/// Whether an Envoy hands over the end of a body twice (envoy#46237) depends on its timing: many bodies, one by one.
async fn send_megabytes(version: &'static str) {
    const ROUNDS: usize = 2;
    for buffer_limit in [Some(32 * 1024), None] {
        let envoy = Options { buffer_limit, version: Some(version), ..Options::default() };
        let world = World::builder(1).envoy(envoy).start().await;
        world.engines[0].answer(Answer::Digest);
        let mut sent = 0;
        for protocol in Protocol::BOTH {
            let mut connection = world.connect(protocol).await;
            for round in 0..ROUNDS {
                for megabytes in [1, 2, 5, 10] {
                    // Ends that are whole pieces of Envoy's, and ends that are a little more.
                    let body = chat_of_size(megabytes * MEGABYTE + round * 7);
                    let reply = connection.exchange(post(CHAT, body::full(body.clone()))).await.ok().json();
                    let digest = format!("{:016x}", xxh3_64(&body));
                    assert_eq!((&reply["length"], &reply["xxh3"]), (&body.len().into(), &digest.into()));
                    sent += 1;
                }
            }
        }
        assert_eq!(world.engines[0].requests().len(), sent, "every body arrives once");
        let duplicates = world.homing.count("homing_duplicate_chunks_total").await;
        println!("Envoy {version}, {sent} bodies, buffers of {buffer_limit:?}: {duplicates} ends came twice");
        world.homing.ledger_reads_zero().await;
    }
}
