//! The requests of each row, encoded once as the messages that Envoy would send.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest, ProtocolConfiguration};
use prost::Message;
use serde_json::json;

/// Different requests in a row: as many sessions, over and over.
const SESSIONS: usize = 16;

/// Sessions that begin with the same system prompt.
const SHARE: usize = 4;

/// What Envoy reads at once under the 32 KiB buffer limit of the reference charts.
const READ: usize = 32 << 10;

/// A message, and the bytes of body in it, which must come back.
#[derive(Debug)]
pub struct Chunk {
    pub message: Bytes,
    pub bytes: usize,
    end: bool,
}

/// One request, and the response to it where the row has one.
#[derive(Debug)]
pub struct Scripted {
    /// Sent at once: Envoy does not wait for the answer to the headers.
    pub request: Vec<Bytes>,
    /// Bytes of the body that must come back; none where there is no body, and so no answer to one.
    pub body: Option<usize>,
    /// Sent one by one, as an engine makes them.
    pub response: Vec<Chunk>,
}

/// As many requests as there are sessions, each with a body of so many bytes or none, and as many chunks of a response
/// as are asked for.
pub fn corpus(bytes: Option<usize>, chunks: Option<usize>) -> Vec<Scripted> {
    (0..SESSIONS).map(|session| scripted(session, bytes, chunks)).collect()
}

/// A whole response for a request that has none in its row.
pub fn short_response() -> Vec<Chunk> {
    response(1)
}

/// One request of a session.
pub fn scripted(session: usize, bytes: Option<usize>, chunks: Option<usize>) -> Scripted {
    let response = chunks.map(response).unwrap_or_default();
    let Some(bytes) = bytes else {
        return Scripted { request: vec![request_headers(session, None)], body: None, response };
    };
    let body = chat(session, bytes);
    let mut request = vec![request_headers(session, Some(bytes))];
    request.extend(body.chunks(READ).map(|chunk| encoded(Request::RequestBody(piece(chunk, false)))));
    request.push(encoded(Request::RequestBody(piece(&[], true))));
    Scripted { request, body: Some(body.len()), response }
}

impl Chunk {
    /// Whether it ends its response.
    pub fn is_end(&self) -> bool {
        self.end
    }
}

/// A chat of exactly this many bytes: half of it a system prompt that others share, the rest the session's own.
pub fn chat(session: usize, bytes: usize) -> Vec<u8> {
    let write = |system: &str, user: &str| {
        let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": user}]);
        json!({"model": "bench", "stream": true, "messages": messages}).to_string().into_bytes()
    };
    let room = bytes - write("", "").len();
    write(&prose(session / SHARE, room / 2), &prose(1_000 + session, room - room / 2))
}

/// Words that differ by seed from the first one on.
pub fn prose(seed: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = seed as u64 + 1;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("word{} ", state >> 50));
    }
    text.truncate(bytes);
    text
}

fn request_headers(session: usize, content_length: Option<usize>) -> Bytes {
    let session = format!("bench-session-{session}");
    let request_id = format!("6ecd1d4c-52a1-4b6f-9d0e-{session:0>12}");
    let length = content_length.map(|length| length.to_string());
    let mut headers = vec![
        (":authority", "gateway.example"),
        (":path", if length.is_some() { "/v1/chat/completions" } else { "/v1/models" }),
        (":method", if length.is_some() { "POST" } else { "GET" }),
        (":scheme", "https"),
        ("accept", "*/*"),
        ("accept-encoding", "identity"),
        ("authorization", "Bearer not-a-secret"),
        ("user-agent", "bench/1.0"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", &request_id),
        ("x-session-id", &session),
    ];
    if let Some(length) = &length {
        headers.extend([("content-type", "application/json"), ("content-length", length.as_str())]);
    }
    let streamed = BodySendMode::FullDuplexStreamed.into();
    let message = ProcessingRequest {
        protocol_config: Some(ProtocolConfiguration {
            request_body_mode: streamed,
            response_body_mode: streamed,
            send_body_without_waiting_for_header_response: false,
        }),
        request: Some(Request::RequestHeaders(head(&headers, length.is_none()))),
        ..Default::default()
    };
    message.encode_to_vec().into()
}

/// Headers, events, and the empty end that Envoy sends.
pub fn response(chunks: usize) -> Vec<Chunk> {
    let headers = [(":status", "200"), ("content-type", "text/event-stream"), ("x-served-by", "r1")];
    let headers = encoded(Request::ResponseHeaders(head(&headers, false)));
    let mut messages = vec![Chunk { message: headers, bytes: 0, end: false }];
    messages.extend((0..chunks).map(|index| {
        let delta = json!([{"index": 0, "delta": {"content": format!("token {index}")}, "finish_reason": null}]);
        let event = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "bench", "choices": delta});
        let event = format!("data: {event}\n\n");
        let message = encoded(Request::ResponseBody(piece(event.as_bytes(), false)));
        Chunk { message, bytes: event.len(), end: false }
    }));
    messages.push(Chunk { message: encoded(Request::ResponseBody(piece(&[], true))), bytes: 0, end: true });
    messages
}

fn head(headers: &[(&str, &str)], end_of_stream: bool) -> HttpHeaders {
    let headers = headers.iter().map(|(key, value)| HeaderValue {
        key: (*key).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..Default::default()
    });
    HttpHeaders { headers: Some(HeaderMap { headers: headers.collect() }), end_of_stream, ..Default::default() }
}

fn piece(body: &[u8], end_of_stream: bool) -> HttpBody {
    HttpBody { body: body.to_vec(), end_of_stream, ..Default::default() }
}

fn encoded(request: Request) -> Bytes {
    ProcessingRequest { request: Some(request), ..Default::default() }.encode_to_vec().into()
}
