//! Refusals: nothing is left to send to, too much waits everywhere, more than anybody wants to keep, or nonsense.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::support::envoy::Options;
use crate::support::prompts::{chat_of_size, chat_stream, with};
use crate::support::{Answer, Gate, Protocol, Reply, World, body, chat, engine, get, post, prompt};

const LIMIT: usize = 64 * 1024;

#[tokio::test]
async fn an_empty_pool_is_a_503_with_a_reason() {
    let world = World::of(0).await;
    for protocol in Protocol::BOTH {
        for request in [get("/v1/models"), chat(None, "short", "hello"), chat_with_trailers()] {
            let reply = world.connect(protocol).await.exchange(request).await;
            assert_refusal(&reply, StatusCode::SERVICE_UNAVAILABLE, "rejected-no-endpoints");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_with_a_reason_and_reaches_no_engine() {
    let world = World::builder(1).config("limits: {requestBody: 64KiB}").start().await;
    for protocol in Protocol::BOTH {
        for size in [LIMIT + 1, 2 * LIMIT] {
            let sent = chat_of_size(size);
            let whole = body::full(sent.clone());
            let chunked = body::pieces(sent.chunks(16_000).map(Bytes::copy_from_slice).collect(), None);
            for body in [whole, chunked] {
                let reply = world.connect(protocol).await.exchange(post("/v1/chat/completions", body)).await;
                assert_refusal(&reply, StatusCode::PAYLOAD_TOO_LARGE, "body-too-large");
            }
        }
    }
    assert!(world.engines[0].heads().is_empty());
    world.homing.ledger_reads_zero().await;
    let page = world.homing.page("metrics", "/metrics").await.ok().body;
    let counted = "homing_refused_total{reason=\"body-too-large\"} 8\n";
    assert!(String::from_utf8_lossy(&page).contains(counted), "eight refusals are counted");
}

#[tokio::test]
async fn a_body_at_the_limit_passes() {
    let world = World::builder(1).config("limits: {requestBody: 64KiB}").start().await;
    world.engines[0].answer(Answer::Digest);
    let reply = world.exchange(post("/v1/chat/completions", body::full(chat_of_size(LIMIT)))).await.ok();
    assert_eq!(reply.json()["length"], LIMIT);
}

#[tokio::test]
async fn no_limit_counts_for_a_body_that_homing_does_not_read() {
    let world = World::builder(1).config("limits: {requestBody: 64KiB}").start().await;
    world.engines[0].answer(Answer::Digest);
    for protocol in Protocol::BOTH {
        let upload = || body::full(vec![7; 1_000_000]);
        let multipart = ("content-type", "multipart/form-data; boundary=b");
        let compressed = ("content-encoding", "gzip");
        let unknown = post("/v1/files", upload());
        let mut form = post("/v1/audio/transcriptions", upload());
        form.headers_mut().insert(multipart.0, multipart.1.parse().expect("a plain value"));
        let packed = with(post("/v1/chat/completions", upload()), compressed.0, compressed.1);
        for request in [unknown, form, packed] {
            let reply = world.connect(protocol).await.exchange(request).await.ok();
            assert_eq!(reply.json()["length"], 1_000_000);
        }
    }
}

#[tokio::test]
async fn a_grpc_client_is_refused_with_a_grpc_status() {
    for mode in ["FULL_DUPLEX_STREAMED", "NONE", "BUFFERED"] {
        let envoy = Options { body_modes: [mode, "FULL_DUPLEX_STREAMED"], ..Options::default() };
        let world = World::builder(0).envoy(envoy).start().await;
        let mut request = post("/inference.GRPCInferenceService/ModelInfer", body::full(vec![0, 0, 0, 0, 1, 7]));
        request.headers_mut().insert("content-type", "application/grpc".parse().expect("a value"));
        request.headers_mut().insert("te", "trailers".parse().expect("a value"));
        let reply = world.connect(Protocol::Http2).await.exchange(request).await;
        assert_eq!(reply.header("grpc-status"), "14", "UNAVAILABLE in {mode}: {reply:?}");
        assert!(reply.header("grpc-message").contains("no endpoint"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_saturated_pool_sheds_with_429_and_takes_requests_again_once_tokens_flow() {
    let world = World::builder(2).config("limits: {waitingTokensPerEndpoint: 100}").start().await;
    let gate = Gate::closed();
    let answer = Answer::Events { events: engine::events(2), gate: gate.clone() };
    world.engines.iter().for_each(|engine| engine.answer(answer.clone()));
    let mut held = Vec::new();
    for seed in ["one", "two"] {
        let mut connection = world.connect(Protocol::Http1).await;
        let request = chat_stream(None, &prompt(seed, 2_000), "hello");
        held.push(tokio::spawn(async move { connection.exchange(request).await }));
        world.homing.books(held.len() as u64).await;
    }
    let reply = world.chat(None, "short", "hello").await;
    assert_refusal(&reply, StatusCode::TOO_MANY_REQUESTS, "rejected-saturated");
    let seconds: u64 = reply.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    gate.open();
    for exchange in held {
        exchange.await.expect("it was answered").ok();
    }
    world.engines.iter().for_each(|engine| engine.answer(Answer::Completion));
    world.chat(None, "short", "hello").await.ok();
}

#[tokio::test]
async fn a_body_that_no_engine_takes_is_a_400_in_strict_mode_and_the_engines_to_judge_without() {
    for (config, status) in [("limits: {strict: true}", StatusCode::BAD_REQUEST), ("limits: {}", StatusCode::OK)] {
        let world = World::builder(1).config(config).start().await;
        for sent in [r#"{"messages": ["#, r#"{"messages": []}"#] {
            let reply = world.exchange(post("/v1/chat/completions", body::full(sent))).await;
            assert_eq!(reply.status, status, "{sent}");
            if status == StatusCode::BAD_REQUEST {
                assert_refusal(&reply, status, "invalid-request");
            }
        }
    }
}

fn chat_with_trailers() -> http::Request<crate::support::Body> {
    let trailers = HeaderMap::from_iter([("x-checksum".parse().expect("a name"), "abc".parse().expect("a value"))]);
    let pieces = vec![chat_of_size(1_000)];
    with(post("/v1/chat/completions", body::pieces(pieces, Some(trailers))), "trailer", "x-checksum")
}

#[track_caller]
fn assert_refusal(reply: &Reply, status: StatusCode, reason: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("x-llm-d-request-dropped-reason"), reason);
    assert_eq!(reply.header("content-type"), "application/json");
    let error = &reply.json()["error"];
    assert_eq!(error["code"], status.as_u16());
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    assert!(error["type"].as_str().is_some_and(|kind| !kind.is_empty()), "{error}");
    assert!(error.as_object().is_some_and(|error| error["param"].is_null()), "{error}");
}
