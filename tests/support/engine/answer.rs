//! What an engine can be told to answer.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::Recorded;
use crate::support::body::{self, Body, Gate};

/// How an engine answers.
#[derive(Clone)]
pub enum Answer {
    /// Length and XXH3 of the body that it received, as JSON.
    Digest,
    /// The same, and the headers that the request's `X-Echo-Set-Header` asks for.
    Echo,
    /// A chat completion with its usage.
    Completion,
    /// A chat completion, once the gate lets it pass.
    Held(Gate),
    /// A chat completion, after the time that an engine would compute.
    After(Duration),
    /// Events, each waiting at the gate.
    Events { events: Vec<Bytes>, gate: Gate },
    /// Events as above, of which the first may leave before the request has arrived.
    Early { events: Vec<Bytes>, gate: Gate },
    /// One event, and nothing after it for ever.
    FirstEvent(Bytes),
    /// Events as above, but the connection breaks after the last.
    EventsThenReset { events: Vec<Bytes>, gate: Gate },
    /// The connection breaks before anything was answered.
    Reset,
    /// A body of this length without a declared one, and trailers.
    Trailers { length: usize, trailers: HeaderMap },
    /// An error in the shape of OpenAI's.
    Status(StatusCode),
}

impl Answer {
    pub(super) async fn to(self, request: &Recorded) -> io::Result<Response<Body>> {
        Ok(match self {
            Self::Digest | Self::Echo => digest(&request.body),
            Self::Completion => completion(&request.body),
            Self::Held(gate) => {
                gate.pass().await;
                completion(&request.body)
            }
            Self::After(time) => {
                tokio::time::sleep(time).await;
                completion(&request.body)
            }
            Self::Events { events, gate } | Self::Early { events, gate } => {
                event_stream(body::gated(events, gate, false))
            }
            Self::FirstEvent(event) => event_stream(body::unfinished(event)),
            Self::EventsThenReset { events, gate } => event_stream(body::gated(events, gate, true)),
            Self::Reset => return Err(io::Error::other("reset on purpose")),
            Self::Trailers { length, trailers } => with_trailers(length, trailers),
            Self::Status(status) => error(status),
        })
    }
}

/// `count` events as engines send them, with usage in the last and the closing mark after it.
pub fn events(count: usize) -> Vec<Bytes> {
    let content = (0..count).map(|n| json!({"choices": [{"index": 0, "delta": {"content": format!(" word{n}")}}]}));
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 16, "completion_tokens": count}});
    let events = content.chain([usage]).map(|event| Bytes::from(format!("data: {event}\n\n")));
    events.chain([Bytes::from_static(b"data: [DONE]\n\n")]).collect()
}

fn digest(body: &Bytes) -> Response<Body> {
    let document = json!({"length": body.len(), "xxh3": format!("{:016x}", xxh3_64(body))});
    json_answer(StatusCode::OK, &document)
}

fn completion(request: &Bytes) -> Response<Body> {
    let tokens = prompt_bytes(request).div_ceil(4).max(1);
    let document = json!({
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "An answer."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 3, "total_tokens": tokens + 3},
    });
    json_answer(StatusCode::OK, &document)
}

/// Bytes of the messages' contents, so that the usage agrees with four bytes a token.
fn prompt_bytes(request: &Bytes) -> usize {
    let document: Value = serde_json::from_slice(request).unwrap_or_default();
    let messages = document["messages"].as_array().into_iter().flatten();
    messages.filter_map(|message| message["content"].as_str()).map(str::len).sum()
}

fn event_stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, "text/event-stream".parse().expect("a plain value"));
    response
}

fn with_trailers(length: usize, trailers: HeaderMap) -> Response<Body> {
    let names = trailers.keys().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let mut response = Response::new(body::pieces(vec![Bytes::from(vec![b'x'; length])], Some(trailers)));
    // HTTP/1 sends only the trailers that it has announced.
    response.headers_mut().insert(header::TRAILER, names.parse().expect("a list of names"));
    response
}

fn error(status: StatusCode) -> Response<Body> {
    json_answer(status, &json!({"error": {"message": "on purpose", "type": "test", "code": status.as_u16()}}))
}

fn json_answer(status: StatusCode, document: &Value) -> Response<Body> {
    let mut response = Response::new(body::full(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().expect("a plain value"));
    response
}
