//! The two refusals: nothing is left to send to, and more than anybody wants to keep.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::support::prompts::{chat_of_size, with};
use crate::support::{Answer, Protocol, Reply, World, body, chat, get, post};

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
