//! Whose request it is: real clients' requests through a real gateway, in headers and in bodies.

use std::fs;
use std::path::Path;

use http::Request;
use serde_json::{Value, json};

use crate::support::prompts::{get, post, with};
use crate::support::{Body, World, body, chat, prompt};

const SENTINEL: &str = "sentinel-4711-of-a-test";

/// A recorded request with one more thing to say, if any.
fn recorded(name: &str, more: Option<&str>) -> Request<Body> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients").join(name).with_extension("json");
    let text = fs::read_to_string(path).expect("the request is recorded");
    let recorded: Value = serde_json::from_str(&text).expect("a recorded request");
    let mut document: Value = serde_json::from_str(recorded["body"].as_str().expect("a body")).expect("JSON");
    let turns = if document["messages"].is_array() { "messages" } else { "input" };
    let turns = document[turns].as_array_mut().expect("a conversation");
    turns.extend(more.map(|more| json!({"role": "user", "content": more})));
    let request = post(recorded["path"].as_str().expect("a path"), body::full(document.to_string()));
    let headers = recorded["headers"].as_object().expect("headers").iter();
    let headers = headers.filter(|(name, _)| *name != "content-type");
    headers.fold(request, |request, (name, value)| with(request, name, value.as_str().expect("a header")))
}

#[tokio::test]
async fn the_requests_of_known_clients_are_recognised_and_come_home() {
    let world = World::of(4).await;
    for (name, source, field) in [
        ("documented-claude-code-json-user-id", "harness", "x-claude-code-session-id"),
        ("documented-claude-code-agent", "harness", "x-claude-code-agent-id"),
        ("documented-claude-code-legacy-user-id", "body", "metadata.user_id"),
        ("documented-codex-hyphens", "harness", "thread-id"),
        ("documented-codex-underscores", "harness", "thread_id"),
        ("documented-opencode", "header", "x-session-id"),
        ("documented-opencode-own-provider", "header", "x-opencode-session"),
        ("documented-litellm-header", "harness", "x-litellm-session-id"),
        ("documented-litellm-body", "body", "metadata.session_id"),
        ("documented-langchain", "group", "prompt_cache_key"),
        ("openai-chat-vllm-extras", "body", "session_id"),
    ] {
        let first = world.exchange(recorded(name, None)).await.ok();
        let decision = world.homing.decision().await.document;
        assert_eq!((&decision["session"], &decision["sessionField"]), (&json!(source), &json!(field)), "{name}");
        let again = world.exchange(recorded(name, Some("And then?"))).await.ok();
        assert_eq!(again.served_by(), first.served_by(), "{name}");
        let is_bound = world.homing.decision().await.reason == "session";
        assert_eq!(is_bound, source != "group", "{name}");
        for reply in [first, again] {
            let echoed = if field == "x-session-id" { "ses_12345678" } else { "" };
            assert_eq!(reply.session(), echoed, "{name}: an id is returned under the session header only");
        }
    }
}

#[tokio::test]
async fn a_client_without_an_id_gets_one_whatever_else_it_sends() {
    let world = World::of(1).await;
    for name in ["anthropic-messages-plain", "openai-responses-items"] {
        let reply = world.exchange(recorded(name, None)).await.ok();
        assert_eq!(reply.session().len(), 36, "{name}");
        let decision = world.homing.decision().await.document;
        assert_eq!((&decision["session"], &decision["sessionField"]), (&json!("generated"), &Value::Null), "{name}");
    }
    let request = with(chat(None, "short", "hello"), "x-client-request-id", "request-1");
    assert_eq!(world.exchange(with(request, "x-correlation-id", "request-2")).await.ok().session().len(), 36);
}

#[tokio::test]
async fn the_same_picture_leads_to_the_engine_that_has_seen_it() {
    let world = World::of(4).await;
    let look = |picture: &str| {
        let url = format!("data:image/png;base64,{picture}");
        let content =
            json!([{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]);
        let document = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        post("/v1/chat/completions", body::full(document.to_string()))
    };
    // Much longer than the tokens that any picture counts.
    let pictures: Vec<String> = (0..4).map(|n| format!("{n}").repeat(200_000)).collect();
    for picture in &pictures {
        let first = world.exchange(look(picture)).await.ok();
        let tokens = world.homing.decision().await.document["promptTokens"].as_f64().expect("tokens");
        assert!((1024.0..2048.0).contains(&tokens), "{tokens}");
        let again = world.exchange(look(picture)).await.ok();
        assert_eq!(again.served_by(), first.served_by());
        assert_eq!(world.homing.decision().await.reason, "prefix");
    }
}

#[tokio::test]
async fn one_id_of_two_tenants_is_two_sessions() {
    let world = World::builder(4).config("sessions: {tenantHeader: X-Tenant}").start().await;
    for tenant in ["acme", "umbrella"] {
        let turn = || with(chat(Some("the-same"), &prompt(tenant, 4_000), "hello"), "x-tenant", tenant);
        world.exchange(turn()).await.ok();
        assert_ne!(world.homing.decision().await.reason, "session", "{tenant} is new");
        world.exchange(turn()).await.ok();
        assert_eq!(world.homing.decision().await.reason, "session", "{tenant} is known");
    }
    let heads = world.engines.iter().flat_map(|engine| engine.heads());
    assert!(heads.into_iter().all(|head| head.contains_key("x-tenant")), "the header passes");
}

#[tokio::test]
async fn ids_of_bodies_and_tenants_are_neither_logged_nor_shown_nor_counted() {
    let config = "sessions: {tenantHeader: x-tenant}";
    let world = World::builder(2).config(config).flags(&["--explain-header"]).start().await;
    let say = |document: Value| post("/v1/chat/completions", body::full(document.to_string()));
    let messages = json!([{"role": "user", "content": "hello"}]);
    for (member, value) in [
        ("session_id", json!(SENTINEL)),
        ("session_id", json!(format!("{SENTINEL} is no id"))),
        ("metadata", json!({"session_id": SENTINEL})),
        ("metadata", json!({"user_id": format!("user_{SENTINEL}_account_{SENTINEL}_session_{SENTINEL}")})),
        ("conversation", json!({"id": SENTINEL})),
        ("prompt_cache_key", json!(SENTINEL)),
        ("cache_salt", json!(SENTINEL)),
        ("user", json!(SENTINEL)),
    ] {
        let mut document = json!({"model": "m", "messages": messages});
        document[member] = value;
        let reply = world.exchange(with(say(document), "x-tenant", SENTINEL)).await.ok();
        assert!(!format!("{:?}", reply.headers).contains(SENTINEL), "{member}");
    }
    for header in ["x-claude-code-agent-id", "x-parent-session-id", "x-tenant", "thread-id"] {
        world.exchange(with(get("/v1/models"), header, SENTINEL)).await.ok();
    }
    world.homing.ledger_reads_zero().await;

    assert!(!world.homing.log().contains(SENTINEL), "the log");
    for (port, path) in [("admin", "/decisions?limit=100"), ("admin", "/endpoints"), ("metrics", "/metrics")] {
        let page = world.homing.page(port, path).await.ok();
        assert!(!String::from_utf8_lossy(&page.body).contains(SENTINEL), "{path}");
    }
}
