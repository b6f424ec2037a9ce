//! Ten thousand aborted requests, straight at the gRPC port, for a gateway takes its time over that many.

use std::net::SocketAddr;

use crate::support::Homing;
use crate::support::files::Entry;
use crate::support::picker::{Picker, request_body, request_headers, response_body, response_headers};
use crate::support::prompts::chat_of_size;

/// How far a stream comes before it is given up: each step is one more event, or one more answer read.
const PHASES: usize = 9;

const ABORTED: usize = 10_000;
const AT_ONCE: usize = 40;

#[tokio::test]
async fn ten_thousand_requests_cancelled_in_every_phase_leave_no_booking() {
    let homing = Homing::start(&unreachable_engines(5), Some("engineMetrics: {enabled: false}"), &[]).await;
    let body = chat_of_size(2_000);
    let probe = abandoned_after(&Picker::connect(homing.port("grpc")).await, 5, &body).await;
    homing.books(1).await;
    drop(probe);

    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let picker = Picker::connect(homing.port("grpc")).await;
        let body = body.clone();
        workers.spawn(async move {
            for n in (worker..ABORTED).step_by(AT_ONCE) {
                let mut stream = abandoned_after(&picker, n % PHASES, &body).await;
                // Half of them go as Envoy lets them go, half as a connection that breaks.
                if (n / PHASES).is_multiple_of(2) {
                    stream.half_close();
                    while stream.answer().await.is_some() {}
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("a worker ends");
    }
    homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn a_gateway_that_closes_its_side_after_the_body_gets_every_answer_and_leaves_no_booking() {
    let homing = Homing::start(&unreachable_engines(5), Some("engineMetrics: {enabled: false}"), &[]).await;
    let picker = Picker::connect(homing.port("grpc")).await;
    let body = chat_of_size(150_000);
    let mut stream = picker.open_without_protocol_config().await;
    stream.send(request_headers(None, "POST", "/v1/chat/completions", false)).await;
    stream.send(request_body(&body, true)).await;
    stream.half_close();
    stream.destination().await;
    assert!(stream.body().await == body, "the body comes back as it was");
    assert!(stream.answer().await.is_none(), "the stream ends");
    homing.ledger_reads_zero().await;
}

async fn abandoned_after(picker: &Picker, phase: usize, body: &[u8]) -> crate::support::picker::Stream {
    let mut stream = picker.open().await;
    for step in 0..phase {
        match step {
            0 => stream.send(request_headers(None, "POST", "/v1/chat/completions", false)).await,
            1 => stream.send(request_body(&body[..body.len() / 2], false)).await,
            2 => stream.send(request_body(&body[body.len() / 2..], true)).await,
            3 => drop(stream.destination().await),
            4 => drop(stream.answer().await.expect("the body comes back")),
            5 => stream.send(response_headers("200", false)).await,
            6 => drop(stream.answer().await.expect("the head of the answer comes back")),
            _ => stream.send(response_body(b"data: {}\n\n", false)).await,
        }
    }
    stream
}

/// Addresses where nobody listens; a picker does not mind.
pub fn unreachable_engines(count: u16) -> Vec<Entry> {
    let address = |n| SocketAddr::from(([127, 0, 0, 1], 10_000 + n));
    (1..=count).map(|n| Entry { name: format!("r{n}"), address: address(n), rest: None }).collect()
}
