//! Requests, and prompts that share nothing by chance.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, Request, header};
use serde_json::{Value, json};

use super::body::{self, Body};

/// About `bytes` bytes of text that no other `seed` has in any of its blocks.
pub fn prompt(seed: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut line = 0;
    while text.len() < bytes {
        write!(text, "{seed} says sentence {line} of a long story. ").expect("a string takes text");
        line += 1;
    }
    text
}

/// A chat completion of one system prompt and one question; `session` under `x-session-id`.
pub fn chat(session: Option<&str>, system: &str, question: &str) -> Request<Body> {
    let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": question}]);
    conversation(session, messages, false)
}

/// The same, to be answered as a stream of events.
pub fn chat_stream(session: Option<&str>, system: &str, question: &str) -> Request<Body> {
    let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": question}]);
    conversation(session, messages, true)
}

/// A chat completion of `messages`.
pub fn conversation(session: Option<&str>, messages: Value, stream: bool) -> Request<Body> {
    let document = json!({"model": "test-model", "messages": messages, "stream": stream});
    let request = post("/v1/chat/completions", body::full(document.to_string()));
    match session {
        Some(id) => with(request, "x-session-id", id),
        None => request,
    }
}

/// A POST of JSON, or of what claims to be.
pub fn post(path: &str, body: Body) -> Request<Body> {
    Request::post(path)
        .header(header::HOST, "gateway.test")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("a valid request")
}

/// A GET.
pub fn get(path: &str) -> Request<Body> {
    Request::get(path).header(header::HOST, "gateway.test").body(body::empty()).expect("a valid request")
}

/// The same request with one more header.
pub fn with(mut request: Request<Body>, name: &str, value: &str) -> Request<Body> {
    let name = name.parse::<HeaderName>().expect("a valid name");
    request.headers_mut().append(name, value.parse().expect("a valid header"));
    request
}

/// The bytes of a chat completion that is exactly `size` bytes long; of zeros where that is too short for one.
pub fn chat_of_size(size: usize) -> Bytes {
    const HEAD: &str = r#"{"model": "test-model", "messages": [{"role": "user", "content": ""#;
    const TAIL: &str = r#""}]}"#;
    match size.checked_sub(HEAD.len() + TAIL.len()) {
        Some(length) => Bytes::from([HEAD, &prompt("size", length)[..length], TAIL].concat()),
        None => Bytes::from(vec![0; size]),
    }
}
