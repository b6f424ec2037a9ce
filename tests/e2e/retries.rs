//! A destination that names several endpoints gives the gateway somewhere to retry.

use std::net::TcpListener;

use http::StatusCode;

use crate::support::envoy::{Destination, Options};
use crate::support::{Answer, World, prompt};

fn retrying() -> Options {
    Options { destination: Destination::Metadata, retries: 2, ..Options::default() }
}

#[tokio::test]
async fn a_request_whose_engine_refuses_is_served_by_the_next_of_the_list_and_its_session_lives_there() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let dead = closed.local_addr().expect("an address");
    drop(closed);
    let world = World::builder(2)
        .endpoint("dead", dead)
        .flags(&["--max-endpoints", "3", "--explain-header"])
        .envoy(retrying())
        .start()
        .await;
    let mut picked_dead = 0;
    for number in 0..12 {
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
