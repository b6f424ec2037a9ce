//! A destination that names several endpoints gives the gateway somewhere to retry.

use http::StatusCode;
use serde_json::json;

use crate::support::envoy::{Destination, Options};
use crate::support::{Answer, ClosedPort, World, prompt};

/// So many that one engine of three gets none of them once in a million runs.
const SESSIONS: usize = 34;

/// What Envoy answers where the body came before the connection had failed, and where it came after.
const UNRETRIED: [StatusCode; 2] = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE];

fn retrying() -> Options {
    Options { destination: Destination::Metadata, retries: 2, ..Options::default() }
}

#[tokio::test]
async fn a_request_whose_engine_refuses_is_served_by_the_next_of_the_list_and_its_session_lives_there() {
    let dead = ClosedPort::keep();
    let world = World::builder(2)
        .endpoint("dead", dead.address())
        .flags(&["--max-endpoints", "3", "--explain-header"])
        .envoy(retrying())
        .start()
        .await;
    let mut picked_dead = 0;
    for number in 0..SESSIONS {
        let (session, system) = (format!("session-{number}"), prompt(&format!("system {number}"), 3_000));
        let reply = world.chat(Some(&session), &system, "hello").await.ok();
        picked_dead += usize::from(reply.header("x-homing-decision").contains("picked dead ("));
        let again = world.chat(Some(&session), &system, "hello again").await.ok();
        assert_eq!(again.served_by(), reply.served_by());
    }
    assert!(picked_dead > 0, "the engine that refuses was never picked: nothing was shown");
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn three_retries_elsewhere_in_a_row_and_an_engine_is_no_sessions_home() {
    let envoy = Options { filter: json!({"response_attributes": ["upstream.address"]}), ..retrying() };
    let flags = ["--max-endpoints", "2"];
    let mut world = World::builder(2).config("sessions: {affinity: hard}").flags(&flags).envoy(envoy).start().await;
    let mut at_home = Vec::new();
    for number in 0..SESSIONS {
        let session = format!("session-{number}");
        if world.chat(Some(&session), "short", "hello").await.ok().served_by() == "r2" {
            at_home.push(session);
        }
    }
    world.engine_mut("r2").kill().await;
    for (before, session) in at_home[..5].iter().enumerate() {
        assert_eq!(world.chat(Some(session), "short", "hello again").await.ok().served_by(), "r1");
        let decision = world.homing.decision().await;
        let expected = if before < 3 { ("r2", "session") } else { ("r1", "moved") };
        assert_eq!((decision.endpoint.as_str(), decision.reason.as_str()), expected, "after {before}");
    }
}

#[tokio::test]
async fn the_destination_is_one_endpoint_unless_more_are_asked_for() {
    let world = World::of(3).await;
    world.engines.iter().for_each(|engine| engine.answer(Answer::Completion));
    let reply = world.chat(None, "short", "hello").await;
    assert_eq!(reply.status, StatusCode::OK, "ORIGINAL_DST takes no list");
    let seen = world.engine(reply.served_by()).heads();
    let destination = seen.last().and_then(|head| head.get("x-gateway-destination-endpoint"));
    let destination = destination.and_then(|value| value.to_str().ok()).expect("the engine sees the destination");
    assert_eq!(destination, world.engine(reply.served_by()).address().to_string());
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_into_the_gateways_buffer_is_not_retried_unless_the_route_raises_it() {
    let limited = retrying();
    assert_eq!(limited.buffer_limit, Some(32 * 1024));
    // The connection may fail before so much of a prompt is there that it does not fit: then it is tried again.
    let mut failed = 0;
    for _world in 0..10 {
        if failed == 0 {
            failed = failures(&limited).await;
        }
    }
    assert!(failed > 0, "all were tried again");
    let raised = Options { route: json!({"request_body_buffer_limit": 4 * 1024 * 1024}), ..retrying() };
    assert_eq!(failures(&raised).await, 0);
}

/// How many long prompts fail beside an engine that refuses; all of them were for that engine.
async fn failures(envoy: &Options) -> usize {
    let dead = ClosedPort::keep();
    let flags = ["--max-endpoints", "3", "--explain-header"];
    let world = World::builder(2).endpoint("dead", dead.address()).flags(&flags).envoy(envoy.clone()).start().await;
    let (mut picked, mut failed) = (0, 0);
    for number in 0..SESSIONS {
        let reply = world.chat(None, &prompt(&format!("system {number}"), 200_000), "hello").await;
        let dead = reply.header("x-homing-decision").contains("picked dead (");
        picked += usize::from(dead);
        if UNRETRIED.contains(&reply.status) {
            assert!(dead, "{reply:?}");
            failed += 1;
        } else {
            reply.ok();
        }
    }
    assert!(picked > 0, "the engine that refuses was never picked: nothing was shown");
    world.homing.ledger_reads_zero().await;
    failed
}
