//! A gateway that allows only part of the pool is obeyed, on every request and in every mode.

use std::net::{IpAddr, SocketAddr};

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::envoy::Options;
use crate::support::{Engine, World, chat, get};

const MODES: [&str; 5] = ["NONE", "STREAMED", "BUFFERED", "BUFFERED_PARTIAL", "FULL_DUPLEX_STREAMED"];

/// A world whose engines are all in the pool, and whose gateway allows what `hint` makes of their addresses.
async fn world(mode: &'static str, engines: Vec<Engine>, hint: &Value) -> World {
    let envoy =
        Options { body_modes: [mode, "FULL_DUPLEX_STREAMED"], subset: Some(hint.clone()), ..Options::default() };
    World::builder(0).adopt(engines).envoy(envoy).start().await
}

async fn engines(count: usize) -> (Vec<Engine>, Vec<SocketAddr>) {
    let mut engines = Vec::new();
    for number in 1..=count {
        engines.push(Engine::start(&format!("r{number}")).await);
    }
    let addresses = engines.iter().map(Engine::address).collect();
    (engines, addresses)
}

#[tokio::test]
async fn only_what_the_hint_allows_is_asked_in_every_mode_with_and_without_a_body() {
    for mode in MODES {
        let (engines, addresses) = engines(3).await;
        let world = world(mode, engines, &json!([addresses[1].to_string()])).await;
        for number in 0..4 {
            for request in [chat(None, "short", &format!("question {number}")), get("/v1/models")] {
                assert_eq!(world.exchange(request).await.ok().served_by(), "r2", "{mode}");
            }
        }
    }
}

#[tokio::test]
async fn a_hint_may_be_text_or_a_list_with_commas_inside_and_name_ports_or_none() {
    let (pool, addresses) = engines(3).await;
    let allowed = |address: &SocketAddr| address.to_string();
    let both = [allowed(&addresses[0]), allowed(&addresses[2])].join(" , ");
    let ip: IpAddr = addresses[0].ip();
    drop(pool);
    for (hint, expected) in [
        (json!(both), &[0, 2][..]),
        (json!([both]), &[0, 2]),
        (json!(["10.1.2.3:80", allowed(&addresses[0])]), &[0]),
        (json!(ip.to_string()), &[0, 1, 2]),
    ] {
        // Ports are known only once engines listen, so each world takes the same hint for engines of its own.
        let (engines, own) = engines(3).await;
        let mut text = hint.to_string();
        addresses.iter().zip(&own).for_each(|(old, new)| text = text.replace(&old.to_string(), &new.to_string()));
        let hint = serde_json::from_str(&text).expect("still JSON");
        let world = world("FULL_DUPLEX_STREAMED", engines, &hint).await;
        let mut served = std::collections::BTreeSet::new();
        for number in 0..24 {
            let reply = world.chat(Some(&format!("session {number}").replace(' ', "-")), "short", "hello").await.ok();
            served.insert(reply.served_by().to_owned());
        }
        let expected: Vec<String> = expected.iter().map(|place| format!("r{}", place + 1)).collect();
        assert_eq!(served.into_iter().collect::<Vec<_>>(), expected, "{hint}");
    }
}

#[tokio::test]
async fn an_empty_or_odd_hint_allows_nobody() {
    for hint in [json!([]), json!(""), json!(7), json!(true), json!({"a": "127.0.0.1"}), json!(["10.9.9.9"])] {
        for mode in ["FULL_DUPLEX_STREAMED", "BUFFERED", "NONE"] {
            let (engines, _) = engines(1).await;
            let world = world(mode, engines, &hint).await;
            for request in [chat(None, "short", "hello"), get("/v1/models")] {
                let reply = world.exchange(request).await;
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{hint} in {mode}");
                assert_eq!(reply.header("x-llm-d-request-dropped-reason"), "rejected-no-endpoints");
                assert!(reply.json()["error"]["message"].as_str().is_some_and(|text| text.contains("subset")));
            }
            assert!(world.engines[0].heads().is_empty());
        }
    }
}
