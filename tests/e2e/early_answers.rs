//! An engine may answer before it has the whole request: both go on, and nothing of either is lost.

use bytes::Bytes;
use http_body_util::BodyExt;

use crate::support::envoy::Options;
use crate::support::{Answer, Gate, Protocol, World, body, engine, post, within};

#[tokio::test]
async fn an_answer_that_begins_before_the_request_is_complete_loses_nothing_of_either() {
    for mode in ["FULL_DUPLEX_STREAMED", "STREAMED", "NONE"] {
        let envoy = Options { body_modes: [mode, "FULL_DUPLEX_STREAMED"], ..Options::default() };
        let world = World::builder(1).envoy(envoy).start().await;
        let (events, answering) = (engine::events(4), Gate::closed());
        world.engines[0].answer(Answer::Early { events: events.clone(), gate: answering.clone() });
        let (upload, sending) = (vec![Bytes::from(vec![b'u'; 20_000]); 8], Gate::closed());
        sending.let_pass(1);
        answering.let_pass(1);
        // No body is waited for on this path, so the engine has the head at once.
        let request = post("/v1/files", body::gated(upload.clone(), sending.clone(), false));
        let mut connection = world.connect(Protocol::Http2).await;
        let response = within("the answer begins", connection.send(request)).await.expect("an answer");
        assert_eq!(response.status(), 200, "{mode}");
        assert!(world.engines[0].requests().is_empty(), "the request is not complete");
        sending.open();
        assert_eq!(world.engines[0].request(1).await.body, upload.concat(), "{mode}");
        answering.open();
        let answer = within("the answer ends", response.into_body().collect()).await.expect("a whole answer");
        assert_eq!(answer.to_bytes(), events.concat(), "{mode}");
        world.homing.ledger_reads_zero().await;
    }
}
