//! Gateways write headers in their own ways; all are understood. The gateways themselves do not run here: these are
//! their messages, sent by hand.

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::HttpHeaders;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Event;

use crate::support::picker::{Picker, request_body};
use crate::support::prompts::chat_of_size;
use crate::support::{Engine, Homing};

fn in_value(key: &str, value: &str) -> HeaderValue {
    HeaderValue { key: key.to_owned(), value: value.to_owned(), ..HeaderValue::default() }
}

fn in_raw_value(key: &str, value: &[u8]) -> HeaderValue {
    HeaderValue { key: key.to_owned(), raw_value: value.to_vec(), ..HeaderValue::default() }
}

fn head(headers: Vec<HeaderValue>) -> Event {
    let headers = Some(HeaderMap { headers });
    Event::RequestHeaders(HttpHeaders { headers, end_of_stream: false, ..HttpHeaders::default() })
}

async fn homing() -> (Homing, Vec<Engine>) {
    let mut engines = Vec::new();
    for name in ["r1", "r2", "r3"] {
        engines.push(Engine::start(name).await);
    }
    let entries: Vec<_> = engines.iter().map(Engine::entry).collect();
    (Homing::start(&entries, None, &[]).await, engines)
}

/// Sends a head and a body in one message, and sees that both are answered whole.
async fn pass(picker: &Picker, headers: Vec<HeaderValue>, body: &[u8], tells_modes: bool) -> String {
    let mut stream = if tells_modes { picker.open().await } else { picker.open_without_protocol_config().await };
    stream.send(head(headers)).await;
    stream.send(request_body(body, true)).await;
    if !tells_modes {
        stream.half_close();
    }
    let destination = stream.destination().await;
    assert!(stream.body().await == body, "the body passes unchanged");
    destination
}

#[tokio::test]
async fn nginx_sends_text_values_without_pseudo_headers_and_the_whole_body_at_once() {
    let (homing, _engines) = homing().await;
    let picker = Picker::connect(homing.port("grpc")).await;
    // The second is larger than what gRPC takes in one message by default.
    for size in [1_000, 5_000_000] {
        let headers = vec![in_value("Content-Type", "application/json"), in_value("X-Session-Id", "of-nginx")];
        pass(&picker, headers, &chat_of_size(size), false).await;
        let decision = homing.decision().await.document;
        assert_eq!((&decision["session"], &decision["model"]), (&"header".into(), &"test-model".into()), "{decision}");
    }
}

#[tokio::test]
async fn agentgateway_sends_pseudo_headers_last_and_as_text() {
    let (homing, _engines) = homing().await;
    let picker = Picker::connect(homing.port("grpc")).await;
    let headers = |path| {
        vec![
            in_raw_value("content-type", b"application/json"),
            in_raw_value("x-session-id", b"a-session-of-agentgateway"),
            in_value(":method", "POST"),
            in_value(":scheme", "https"),
            in_value(":authority", "gateway.test"),
            in_value(":path", path),
        ]
    };
    pass(&picker, headers("/v1/chat/completions"), &chat_of_size(2_000), true).await;
    assert_eq!(homing.decision().await.document["model"], "test-model", "the body of a known path is read");
    pass(&picker, headers("/v1/files"), &chat_of_size(2_000), true).await;
    assert_eq!(homing.decision().await.document["model"], serde_json::Value::Null, "that of another is not");
}

#[tokio::test]
async fn bytes_that_are_no_text_and_headers_that_come_twice_harm_nothing() {
    let (homing, _engines) = homing().await;
    let picker = Picker::connect(homing.port("grpc")).await;
    let odd = [
        vec![in_raw_value("x-session-id", b"\xff\xfe"), in_raw_value("x-session-id", b"sentinel-2")],
        vec![in_raw_value(":path", b"/\xff/v1/chat/completions"), in_raw_value("content-length", b"\xff")],
        vec![in_raw_value("x-session-id", b"sentinel-1"), in_raw_value("x-session-id", b"sentinel-2")],
        vec![in_raw_value("", b""), in_raw_value("\u{e4}", b"\x00")],
        vec![in_raw_value("x-request-id", b"\r\n"), in_raw_value("content-type", b"\xff")],
        vec![],
    ];
    for headers in odd {
        pass(&picker, headers, &chat_of_size(500), true).await;
    }
    // What a client sent is never shown, odd or not.
    assert!(!homing.log().contains("sentinel"));
}
