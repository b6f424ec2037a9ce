//! Many at once: streams, connections, bytes of bodies that are kept, and uploads that take their time.

use bytes::Bytes;
use http::StatusCode;
use tokio::task::JoinSet;

use crate::bookings::unreachable_engines;
use crate::support::envoy::Options;
use crate::support::picker::{Picker, Stream, request_body, request_headers, response_body, response_headers};
use crate::support::prompts::chat_of_size;
use crate::support::{Answer, Gate, Homing, Protocol, World, body, chat, eventually, open_files, post};

/// Waits for bodies without end, so that on a busy machine nothing is picked early.
const PATIENT: &str = "engineMetrics: {enabled: false}\nlimits: {bodyWait: 1h}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_at_once_are_all_answered_and_leave_no_booking() {
    const CONNECTIONS: usize = 10;
    const STREAMS: usize = 1_000;
    const HALF: usize = 300;
    let homing = Homing::start(&unreachable_engines(5), Some(PATIENT), &[]).await;
    let sent = chat_of_size(2 * HALF);

    let mut opening = JoinSet::new();
    for _connection in 0..CONNECTIONS {
        let (picker, half) = (Picker::connect(homing.port("grpc")).await, sent.slice(..HALF));
        opening.spawn(async move {
            let mut streams = Vec::with_capacity(STREAMS);
            for _stream in 0..STREAMS {
                let mut stream = picker.open().await;
                stream.send(request_headers(None, "POST", "/v1/chat/completions", false)).await;
                stream.send(request_body(&half, false)).await;
                streams.push(stream);
            }
            streams
        });
    }
    let streams = opening.join_all().await;
    let all = (CONNECTIONS * STREAMS) as u64;
    eventually("every half body is kept", async || {
        // With what keeping a piece costs beside its bytes.
        (homing.count("homing_buffered_body_bytes").await >= all * HALF as u64).then_some(())
    })
    .await;
    assert_eq!(homing.count("homing_open_streams").await, all);

    let mut answered = JoinSet::new();
    for streams in streams {
        let sent = sent.clone();
        answered.spawn(async move {
            for mut stream in streams {
                complete(&mut stream, &sent).await;
            }
        });
    }
    answered.join_all().await;
    assert_eq!(homing.count("homing_streams_total{end=\"completed\"}").await, all);
    assert_eq!(homing.count("homing_buffered_body_bytes").await, 0);
    homing.ledger_reads_zero().await;
}

/// Sends the second half of the body, and sees the request to its end.
async fn complete(stream: &mut Stream, sent: &Bytes) {
    stream.send(request_body(&sent[sent.len() / 2..], true)).await;
    assert!(!stream.destination().await.is_empty());
    assert!(stream.body().await == *sent);
    stream.send(response_headers("200", false)).await;
    stream.answer().await.expect("the head of the answer comes back");
    stream.send(response_body(b"data: {}\n\n", true)).await;
    stream.answer().await.expect("the body of the answer comes back");
    stream.half_close();
    while stream.answer().await.is_some() {}
}

const REQUESTS: usize = 1_200;
/// What Envoy allows at once to a cluster that does not say otherwise.
const DEFAULT_BREAKER: usize = 1_024;

#[tokio::test]
async fn twelve_hundred_requests_at_once_are_all_answered() {
    let (world, gate) = held_world(Options::default()).await;
    let mut replies = ask_at_once(&world);
    world.homing.books(REQUESTS as u64).await;
    gate.open();
    while let Some(status) = replies.join_next().await {
        assert_eq!(status.expect("a reply"), StatusCode::OK);
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn envoys_own_circuit_breakers_are_what_refuses_the_rest() {
    let (world, gate) = held_world(Options { default_breakers: true, ..Options::default() }).await;
    let mut replies = ask_at_once(&world);
    for _refused in 0..REQUESTS - DEFAULT_BREAKER {
        let status = replies.join_next().await.expect("more to come").expect("a reply");
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "Envoy opens no more streams to its picker");
    }
    world.homing.books(DEFAULT_BREAKER as u64).await;
    assert_eq!(world.homing.count("homing_open_streams").await, DEFAULT_BREAKER as u64);
    gate.open();
    while let Some(status) = replies.join_next().await {
        assert_eq!(status.expect("a reply"), StatusCode::OK);
    }
    world.homing.ledger_reads_zero().await;
}

/// A world whose engines answer when the gate opens.
async fn held_world(envoy: Options) -> (World, Gate) {
    // Connections of clients and to engines; Envoy has both.
    open_files::raise(8_192);
    let world = World::builder(4).config(PATIENT).envoy(envoy).start().await;
    let gate = Gate::closed();
    world.engines.iter().for_each(|engine| engine.answer(Answer::Held(gate.clone())));
    (world, gate)
}

/// Each over a connection of its own; their statuses, as they come.
fn ask_at_once(world: &World) -> JoinSet<StatusCode> {
    let address = world.envoy.address();
    let ask = move |n: usize| async move {
        let mut connection = crate::support::Connection::open(address, Protocol::Http1).await.expect("Envoy accepts");
        connection.exchange(chat(Some(&format!("session-{n}")), "short", "hello")).await.status
    };
    (0..REQUESTS).map(ask).collect()
}

#[tokio::test]
async fn bodies_beyond_the_budget_are_picked_early_and_arrive_unchanged() {
    const BODIES: usize = 40;
    const FIRST: usize = 512 * 1024;
    // Room for the first pieces of eight.
    let limits = "engineMetrics: {enabled: false}\nlimits: {requestBody: 4MiB, bufferedBodies: 4MiB, bodyWait: 1h}";
    let world = World::builder(3).config(limits).start().await;
    world.engines.iter().for_each(|engine| engine.answer(Answer::Digest));

    let (mut gates, mut replies, mut sent) = (Vec::new(), JoinSet::new(), Vec::new());
    for n in 0..BODIES {
        // One of its own: else the second piece of one body passes instead of the first of another.
        let gate = Gate::closed();
        gate.let_pass(1);
        gates.push(gate.clone());
        let whole = chat_of_size(1024 * 1024 + n);
        let pieces = vec![whole.slice(..FIRST), whole.slice(FIRST..)];
        let mut connection = world.connect(Protocol::BOTH[n % 2]).await;
        let request = post("/v1/chat/completions", body::gated(pieces, gate, false));
        replies.spawn(async move { connection.exchange(request).await });
        sent.push(whole);
    }
    let early = "homing_early_picks_total{cause=\"budget\"}";
    eventually("most bodies are picked early", async || {
        (world.homing.count(early).await >= BODIES as u64 - 8).then_some(())
    })
    .await;
    gates.iter().for_each(Gate::open);
    while let Some(reply) = replies.join_next().await {
        reply.expect("a reply").ok();
    }
    let mut arrived: Vec<Bytes> =
        world.engines.iter().flat_map(|engine| engine.requests()).map(|request| request.body).collect();
    arrived.sort_by_key(Bytes::len);
    assert!(arrived == sent, "{} of {BODIES} bodies arrived, or not as they were", arrived.len());
    assert_eq!(world.homing.count("homing_buffered_body_bytes").await, 0);
    assert_eq!(world.homing.count("homing_refused_total{reason=\"body-too-large\"}").await, 0);
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn uploads_that_take_their_time_are_picked_early_and_arrive_whole() {
    const UPLOADS: usize = 10;
    let limits = "engineMetrics: {enabled: false}\nlimits: {bodyWait: 50ms}";
    let world = World::builder(3).config(limits).start().await;
    world.engines.iter().for_each(|engine| engine.answer(Answer::Digest));

    let (gate, mut replies, mut sent) = (Gate::closed(), JoinSet::new(), Vec::new());
    for n in 0..UPLOADS {
        let whole = chat_of_size(200_000 + n);
        let pieces: Vec<Bytes> = whole.chunks(20_000).map(Bytes::copy_from_slice).collect();
        let mut connection = world.connect(Protocol::BOTH[n % 2]).await;
        let request = post("/v1/chat/completions", body::gated(pieces, gate.clone(), false));
        replies.spawn(async move { connection.exchange(request).await });
        sent.push(whole);
    }
    gate.let_pass(UPLOADS);
    let early = "homing_early_picks_total{cause=\"slow\"}";
    eventually("every upload is picked early", async || {
        (world.homing.count(early).await == UPLOADS as u64).then_some(())
    })
    .await;
    // The rest trickles in, piece by piece.
    for _piece in 0..10 {
        gate.let_pass(UPLOADS);
        tokio::task::yield_now().await;
    }
    while let Some(reply) = replies.join_next().await {
        reply.expect("a reply").ok();
    }
    let mut arrived: Vec<Bytes> =
        world.engines.iter().flat_map(|engine| engine.requests()).map(|request| request.body).collect();
    arrived.sort_by_key(Bytes::len);
    assert!(arrived == sent, "{} of {UPLOADS} bodies arrived, or not as they were", arrived.len());
    assert_eq!(world.homing.count("homing_buffered_body_bytes").await, 0);
    world.homing.ledger_reads_zero().await;
}
