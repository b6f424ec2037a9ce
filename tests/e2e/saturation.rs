//! The admin and metrics side answers while the one thread of the data side has more to do than it can.

use std::sync::Arc;

use bytes::Bytes;
use homing::proto::inspect::{ConfigRequest, DecisionsRequest, EndpointsRequest};
use http::StatusCode;
use tokio::task::JoinSet;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::bookings::unreachable_engines;
use crate::inspect::{decisions, inspect};
use crate::support::picker::{Picker, Stream, channel, request_body, request_headers, response_headers};
use crate::support::prompts::chat_of_size;
use crate::support::{Homing, eventually, within};

/// Streams that stay in the middle of their body, and bytes of it that each has sent.
const HELD: usize = 32;
const HALF: usize = 512 << 10;

/// Streams that send whole bodies one after the other, all at once.
const BUSY: usize = 16;
const WHOLE: usize = 1 << 20;

/// How often everything is asked; between two times the data side has done more of its work.
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_admin_and_health_answer_while_the_only_data_thread_is_saturated() {
    let patient = Some("engineMetrics: {enabled: false}\nlimits: {bodyWait: 1h}");
    let homing = Arc::new(Homing::start(&unreachable_engines(3), patient, &["--threads", "1"]).await);
    let body = chat_of_size(WHOLE);
    let mut held = Vec::new();
    for _ in 0..HELD {
        held.push(in_the_middle(&Picker::connect(homing.port("grpc")).await, &body[..HALF]).await);
    }
    eventually("the halves of all bodies are kept", async || {
        (metric(&homing, "homing_buffered_body_bytes").await >= (HELD * HALF) as f64).then_some(())
    })
    .await;
    let mut busy = JoinSet::new();
    for _ in 0..BUSY {
        let (picker, body) = (Picker::connect(homing.port("grpc")).await, body.clone());
        busy.spawn(async move {
            loop {
                whole(&picker, &body).await;
            }
        });
    }

    let mut done = 0.0;
    for _ in 0..ROUNDS {
        done = eventually("the data side does more of its work", async || {
            Some(metric(&homing, "homing_prompt_tokens_total").await).filter(|tokens| *tokens > done)
        })
        .await;
        let open = eventually("the held streams are open, and others that send", async || {
            Some(metric(&homing, "homing_open_streams").await).filter(|open| *open > HELD as f64)
        })
        .await;
        everything_answers(&homing, open).await;
    }
    assert!(busy.try_join_next().is_none(), "no stream has failed");
    busy.shutdown().await;
    drop(held);
    homing.ledger_reads_zero().await;
}

/// Asks every page and service that does not run on the data side.
async fn everything_answers(homing: &Homing, open: f64) {
    for (port, path) in [("metrics", "/healthz"), ("metrics", "/readyz"), ("admin", "/decisions"), ("admin", "/config")]
    {
        assert_eq!(homing.page(port, path).await.status, StatusCode::OK, "{path}, {open} streams");
    }
    let mut client = inspect(homing).await;
    let mut last = decisions(&mut client, DecisionsRequest { limit: 5, ..DecisionsRequest::default() }).await;
    let decision = within("a decision", last.message()).await.expect("the stream is whole");
    assert!(decision.is_some_and(|answer| answer.decision.is_some()), "there are decisions");
    let endpoints = within("the endpoints", client.endpoints(EndpointsRequest {})).await.expect("an answer");
    assert_eq!(endpoints.into_inner().endpoints.len(), 3);
    within("the configuration", client.config(ConfigRequest {})).await.expect("an answer");
    let mut health = HealthClient::new(channel(homing.port("health")).await);
    within("health", health.check(HealthCheckRequest { service: String::new() })).await.expect("an answer");
}

/// A stream that has sent the beginning of a body.
async fn in_the_middle(picker: &Picker, half: &[u8]) -> Stream {
    let mut stream = picker.open().await;
    stream.send(request_headers(None, "POST", "/v1/chat/completions", false)).await;
    for piece in half.chunks(62_000) {
        stream.send(request_body(piece, false)).await;
    }
    stream
}

/// One request, seen to its end.
async fn whole(picker: &Picker, body: &Bytes) {
    let mut stream = in_the_middle(picker, body).await;
    stream.send(request_body(&[], true)).await;
    stream.destination().await;
    assert!(stream.body().await == *body, "the body comes back as it was");
    stream.send(response_headers("200", true)).await;
    assert!(stream.answer().await.is_some());
    stream.half_close();
    while stream.answer().await.is_some() {}
}

/// The value of a metric without labels.
async fn metric(homing: &Homing, name: &str) -> f64 {
    let page = homing.page("metrics", "/metrics").await.ok();
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not on the page:\n{text}"))
}
