//! What passes through: events, large prompts, session ids, many requests at once; and what does not.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::attached::{Attached, picked};
use super::envoy_gateway::GATEWAY;
use crate::support::prompts::{chat_of_size, chat_stream, with};
use crate::support::{Connection, Gate, Protocol, Reply, body, chat, get, open_files, post, prompt};

/// Engines that compute a megabyte at once, and hold it.
const FAST: [&str; 4] = ["--prefill-tokens-per-second", "10000000", "--cache-tokens", "2000000"];
const MEGABYTE: usize = 1_000_000;

#[tokio::test]
async fn events_and_megabytes_pass_and_ids_come_back_and_a_spoofed_destination_is_not_believed() {
    let attached = Attached::start(&FAST, &[]).await;
    for protocol in Protocol::BOTH {
        events(&attached, protocol).await;
        megabytes(&attached, protocol).await;
        spoofed(&attached, protocol).await;
        generated(&attached, protocol).await;
    }
    underscored(&attached).await;
}

async fn events(attached: &Attached, protocol: Protocol) {
    let mut connection = attached.connect(protocol).await;
    let reply = connection.exchange(chat_stream(Some("events"), "short", "hello")).await.ok();
    assert!(reply.header("content-type").starts_with("text/event-stream"), "{:?}", reply.headers);
    assert_eq!(reply.session(), "events");
    let text = std::str::from_utf8(&reply.body).expect("events are text");
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert!(events.len() > 5, "{text}");
    let (last, others) = events.split_last().expect("there are events");
    assert_eq!(*last, "data: [DONE]");
    for event in others {
        let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event:?} is no event"));
        serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{error}: {data}"));
    }
}

/// What the engine says of a prompt shows that it came whole: it counts its tokens, and finds it again in its cache.
async fn megabytes(attached: &Attached, protocol: Protocol) {
    let request = || with(post("/v1/chat/completions", body::full(chat_of_size(MEGABYTE))), "x-session-id", "large");
    let mut connection = attached.connect(protocol).await;
    let first = connection.exchange(request()).await.ok();
    let again = connection.exchange(request()).await.ok();
    assert_eq!(first.served_by(), again.served_by());
    let tokens = |usage: &Value| usage.as_u64().expect("a number of tokens") as usize;
    let usage = again.json()["usage"].clone();
    let (prompt, cached) = (tokens(&usage["prompt_tokens"]), tokens(&usage["prompt_tokens_details"]["cached_tokens"]));
    assert!(prompt.abs_diff(MEGABYTE / 4) < 100, "{usage}");
    assert!(prompt - cached < 100, "{usage}");
}

/// Whoever is named, the pick is what happens.
async fn spoofed(attached: &Attached, protocol: Protocol) {
    let mut connection = attached.connect(protocol).await;
    for decoy in &attached.release.engines {
        let decoy = format!("{}:8000", decoy.address);
        let named = |request| with(with(request, "x-gateway-destination-endpoint", &decoy), "x-session-id", "spoofer");
        for request in [named(get("/v1/models")), named(chat(None, "short", "hello"))] {
            let reply = connection.exchange(request).await.ok();
            assert_eq!(reply.served_by(), picked(&reply).0, "{protocol:?}, {decoy}");
        }
    }
}

/// Whoever names no session gets an id, and with it returns.
async fn generated(attached: &Attached, protocol: Protocol) {
    let mut connection = attached.connect(protocol).await;
    let first = connection.exchange(chat(None, "short", "hello")).await.ok();
    assert_eq!(first.session().len(), 36, "{:?}", first.session());
    let again = connection.exchange(chat(Some(first.session()), "short", "hello again")).await.ok();
    assert_eq!((again.served_by(), again.session()), (first.served_by(), first.session()));
}

/// Envoy Gateway refuses headers with an underscore, such as those of older versions of Codex, unless it is told otherwise.
async fn underscored(attached: &Attached) {
    let ask = async || {
        let request = with(chat(None, "short", "hello"), "session_id", "of-codex");
        Some(Reply::to(attached.address(), request).await?.status)
    };
    assert_eq!(ask().await, Some(StatusCode::BAD_REQUEST));
    let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY});
    let policy = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "ClientTrafficPolicy", "metadata": {"name": "headers"},
        "spec": {"targetRefs": [gateway], "headers": {"withUnderscoresAction": "Allow"}},
    });
    let cluster = &attached.release.cluster;
    cluster.apply_object(policy).await;
    cluster.eventually("it is let pass", async || (ask().await? == StatusCode::OK).then_some(())).await;
}

/// More than the 1,024 that Envoy allows to a cluster that does not say otherwise.
const REQUESTS: usize = 1_200;

#[tokio::test]
async fn twelve_hundred_requests_at_once_are_all_answered() {
    // The gateway has as many connections to clients and to engines.
    open_files::raise(8_192);
    let attached = Attached::start(&["--decode-step", "300ms"], &["config.limits.bodyWait=1h"]).await;
    let (gate, address, cluster) = (Gate::closed(), attached.address(), &attached.release.cluster);
    let document = json!({
        "model": "test-model", "max_tokens": 40, "messages": [{"role": "user", "content": prompt("question", 100)}],
    });
    let mut answers = JoinSet::new();
    for _request in 0..REQUESTS {
        let body = body::gated(vec![document.to_string().into()], gate.clone(), false);
        answers.spawn(async move {
            let mut connection = Connection::open(address, Protocol::Http1).await.expect("the gateway listens");
            connection.exchange(post("/v1/chat/completions", body)).await.status
        });
    }
    let (pickers, engines) = (attached.pickers(), attached.engines());
    let held = async || (attached.stat(&pickers, "upstream_rq_active").await >= REQUESTS as u64).then_some(());
    cluster.eventually("Homing is asked for all", held).await;
    gate.open();
    let beyond = async || (attached.stat(&engines, "upstream_rq_active").await > 1_024).then_some(());
    cluster.eventually("engines have more than Envoy allows by itself", beyond).await;
    let mut statuses = BTreeMap::new();
    while let Some(status) = answers.join_next().await {
        *statuses.entry(status.expect("a reply")).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(StatusCode::OK, REQUESTS)]));
}
