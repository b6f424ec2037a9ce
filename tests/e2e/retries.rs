//! A destination that names several endpoints gives the gateway somewhere to retry.

use http::StatusCode;
use serde_json::json;

use crate::support::engine::closed_port;
use crate::support::envoy::{Destination, Options};
use crate::support::{Answer, World, prompt};

/// So many that one engine of three gets none of them once in a million runs.
const SESSIONS: usize = 34;

/// What Envoy answers where the body came before the connection had failed, and where it came after.
const UNRETRIED: [StatusCode; 2] = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE];

fn retrying() -> Options {
    Options { destination: Destination::Metadata, retries: 2, ..Options::default() }
}

#[tokio::test]
async fn a_request_whose_engine_refuses_is_served_by_the_next_of_the_list_and_its_session_lives_there() {
    let world = World::builder(2)
        .endpoint("dead", closed_port())
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
    let raised = Options { route: json!({"request_body_buffer_limit": 4 * 1024 * 1024}), ..retrying() };
    for (envoy, refused) in [(limited, 1..=3), (raised, 0..=0)] {
        assert_eq!(envoy.buffer_limit, Some(32 * 1024));
        let flags = ["--max-endpoints", "3", "--explain-header"];
        let world = World::builder(2).endpoint("dead", closed_port()).flags(&flags).envoy(envoy).start().await;
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
        assert!(refused.contains(&failed), "{failed} of {picked} failed");
        world.homing.ledger_reads_zero().await;
    }
}
