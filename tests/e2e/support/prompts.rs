//! Requests, and prompts that share nothing by chance.

use std::fmt::Write as _;

use http::{Request, header};
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
pub fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().append(name, value.parse().expect("a valid header"));
    request
}
