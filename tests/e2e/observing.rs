//! A gateway in observability mode shows its requests and goes its own way: nothing it does waits for Homing.

use crate::support::envoy::{Destination, Options};
use crate::support::wait::eventually;
use crate::support::{Answer, Protocol, World, chat, get, prompt};

async fn watched(engines: usize, body_mode: &'static str) -> World {
    let envoy = Options {
        destination: Destination::Metadata,
        body_modes: [body_mode; 2],
        observability: true,
        ..Options::default()
    };
    World::builder(engines).envoy(envoy).start().await
}

#[tokio::test]
async fn requests_go_their_own_way_and_every_one_is_accounted_where_it_was_served() {
    for body_mode in ["STREAMED", "NONE"] {
        let world = watched(2, body_mode).await;
        let mut served = std::collections::BTreeSet::new();
        for number in 0..6 {
            for protocol in Protocol::BOTH {
                let mut connection = world.connect(protocol).await;
                let reply = connection.exchange(chat(None, &prompt("system", 2_000), &format!("{number}"))).await.ok();
                assert!(reply.headers.get("x-session-id").is_none(), "nothing is changed");
                served.insert(reply.served_by().to_owned());
                served.insert(connection.exchange(get("/v1/models")).await.ok().served_by().to_owned());
            }
        }
        assert_eq!(served.len(), 2, "the gateway's own round robin decides, in {body_mode}");
        eventually("all streams to be accounted", async || {
            let page = world.homing.page("metrics", "/metrics").await.ok().body;
            let page = String::from_utf8_lossy(&page).into_owned();
            page.contains("homing_observed_streams_total 24\n").then_some(())
        })
        .await;
        assert_eq!(world.homing.decisions(100).await.len(), 24, "each has a decision to look at, in {body_mode}");
        let page = world.homing.page("metrics", "/metrics").await.ok().body;
        let nowhere_else = "homing_served_elsewhere_total 0\n";
        assert!(!String::from_utf8_lossy(&page).contains(nowhere_else), "round robin does not agree with every pick");
        world.homing.ledger_reads_zero().await;
    }
}

#[tokio::test]
async fn an_empty_pool_refuses_nothing() {
    let envoy = Options {
        destination: Destination::Metadata,
        body_modes: ["STREAMED"; 2],
        observability: true,
        ..Options::default()
    };
    let world = World::builder(1).weightless().envoy(envoy).start().await;
    world.engines[0].answer(Answer::Completion);
    for _ in 0..4 {
        world.chat(None, "short", "hello").await.ok();
    }
}
