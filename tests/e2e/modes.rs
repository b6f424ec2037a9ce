//! Gateways that show less of a body, or show it otherwise, lose no byte and leave no booking.

use serde_json::json;

use crate::support::envoy::Options;
use crate::support::prompts::{chat_of_size, chat_stream};
use crate::support::{Answer, Gate, Protocol, World, body, chat, engine, eventually, post};

const REQUEST_MODES: [&str; 5] = ["NONE", "STREAMED", "BUFFERED", "BUFFERED_PARTIAL", "FULL_DUPLEX_STREAMED"];

#[tokio::test]
async fn every_request_mode_beside_duplex_responses_loses_nothing_and_leaves_no_booking() {
    beside("FULL_DUPLEX_STREAMED").await;
}

#[tokio::test]
async fn every_request_mode_beside_streamed_responses_loses_nothing_and_leaves_no_booking() {
    beside("STREAMED").await;
}

#[tokio::test]
async fn every_request_mode_beside_unseen_responses_loses_nothing_and_leaves_no_booking() {
    beside("NONE").await;
}

#[tokio::test]
async fn a_request_whose_answer_is_never_shown_is_booked_while_it_is_answered() {
    // Envoy ends its stream as soon as the request has passed, or not before the answer has.
    for (request, end) in
        [("NONE", "detached"), ("FULL_DUPLEX_STREAMED", "detached"), ("STREAMED", "aborted"), ("BUFFERED", "aborted")]
    {
        let trailers = if request == "FULL_DUPLEX_STREAMED" { "SEND" } else { "SKIP" };
        let mode = json!({
            "request_header_mode": "SEND", "request_body_mode": request, "request_trailer_mode": trailers,
            "response_header_mode": "SKIP", "response_body_mode": "NONE", "response_trailer_mode": "SKIP",
        });
        let envoy = Options { filter: json!({"processing_mode": mode}), ..Options::default() };
        let world = World::builder(1).envoy(envoy).start().await;
        let gate = Gate::closed();
        world.engines[0].answer(Answer::Held(gate.clone()));
        let mut connection = world.connect(Protocol::Http1).await;
        let answered = tokio::spawn(async move { connection.exchange(chat(None, "short", "hello")).await });
        world.engines[0].request(1).await;
        let ended = || async {
            let series = format!("homing_streams_total{{end=\"{end}\"}}");
            eventually(end, async || (world.homing.count(&series).await == 1).then_some(())).await;
        };
        if end == "detached" {
            ended().await;
        }
        assert_eq!(world.homing.in_flight().await, 1, "{request}");
        gate.open();
        answered.await.expect("no panic").ok();
        ended().await;
        world.homing.ledger_reads_zero().await;
    }
}

async fn beside(response: &'static str) {
    let mut worlds = Vec::new();
    for request in REQUEST_MODES {
        let envoy = Options { body_modes: [request, response], buffer_limit: None, ..Options::default() };
        let world = World::builder(2).envoy(envoy).start().await;
        pass(&world, &format!("{request} and {response}")).await;
        worlds.push(world.homing);
    }
    // Where an answer's end is not seen its booking ends by prediction, some seconds later: all wait together.
    for homing in worlds {
        homing.ledger_reads_zero().await;
    }
}

async fn pass(world: &World, modes: &str) {
    for protocol in Protocol::BOTH {
        let mut connection = world.connect(protocol).await;
        world.engines.iter().for_each(|engine| engine.answer(Answer::Digest));
        for size in [0, 1_000, 300_000] {
            let sent = chat_of_size(size);
            let reply = connection.exchange(post("/v1/chat/completions", body::full(sent.clone()))).await;
            assert_eq!(reply.status, 200, "{modes}, {size} bytes over {protocol:?}: {reply:?}");
            let arrived = world.engine(reply.served_by()).requests();
            assert!(arrived.last().expect("it has arrived").body == sent, "{modes}, {size} bytes over {protocol:?}");
            assert!(!reply.session().is_empty(), "{modes}");
        }
        let (gate, events) = (Gate::closed(), engine::events(5));
        gate.open();
        let answer = Answer::Events { events: events.clone(), gate };
        world.engines.iter().for_each(|engine| engine.answer(answer.clone()));
        let reply = connection.exchange(chat_stream(None, "short", "hello")).await.ok();
        assert_eq!(reply.body, events.concat(), "{modes}");
    }
}
