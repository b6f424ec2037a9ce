//! What matters of a message's headers, read in one pass.

use crate::config::Sessions;
use crate::pick::Origin;
use crate::proto::envoy::HeaderValue;

use super::api::Api;
use super::header::{value, visible};
use super::identity::Identity;

/// The destination that the gateway obeys; a client's own is overwritten, never believed.
pub const DESTINATION: &str = "x-gateway-destination-endpoint";

/// Headers by which a client could steer or impersonate; taken out of every request that has them.
const CONTROL: &[&str] = &[
    "x-gateway-destination-endpoint-subset",
    "x-gateway-destination-endpoint-served",
    "x-gateway-inference-objective",
    "x-llm-d-inference-objective",
    "x-gateway-inference-fairness-id",
    "x-llm-d-inference-fairness-id",
    "x-gateway-model-name-rewrite",
    "x-llm-d-model-name-rewrite",
    "x-slo-ttft-ms",
    "x-slo-tpot-ms",
    "x-llm-d-slo-ttft-ms",
    "x-llm-d-slo-tpot-ms",
    "x-prefiller-host-port",
];

/// A longer request id is not repeated; gateways make UUIDs of 36.
const LONGEST_REQUEST_ID: usize = 128;

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// `x-request-id`, if it is one to be repeated.
    pub id: Option<Box<str>>,
    /// Whose request it is.
    pub identity: Identity,
    /// The API in which to read its body; `None` for one that is not ours to read: compressed, multipart, gRPC, or on
    /// an unknown path.
    pub api: Option<Api>,
    /// Whether the client speaks gRPC, which wants its errors told in trailers.
    pub is_grpc: bool,
    /// The body's length, if announced.
    pub content_length: Option<u64>,
    /// Control headers that the client sent and that must go.
    pub strip: Vec<&'static str>,
}

/// The head of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// `:status`; 0 if the gateway did not show one.
    pub status: u16,
    /// Whether the body is `text/event-stream`.
    pub is_event_stream: bool,
    /// Whether an upstream answered: Envoy's router says how long it took.
    pub from_upstream: bool,
    /// Whether the gateway's circuit breaker answered.
    pub is_overload: bool,
    /// Whether the body is `text/plain` or untold, as that of a gateway's own reply is.
    pub is_plain: bool,
}

// === impl RequestHead ===

impl RequestHead {
    /// Reads `headers`.
    pub fn read(headers: &[HeaderValue], sessions: &Sessions) -> Self {
        let mut api = Some(Api::Unsaid);
        let mut content_type: &[u8] = b"";
        let mut encoded = false;
        let mut content_length = None;
        let mut strip = Vec::new();
        let mut id = None;
        for header in headers {
            let value = value(header);
            match &*header.key {
                b":path" => api = Api::of(value),
                b"content-type" => content_type = value,
                b"content-encoding" => encoded = !value.is_empty() && !value.eq_ignore_ascii_case(b"identity"),
                b"x-request-id" => id = visible(value, LONGEST_REQUEST_ID),
                b"content-length" => {
                    content_length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok())
                }
                key => {
                    if let Some(control) = CONTROL.iter().find(|control| control.as_bytes().eq_ignore_ascii_case(key))
                        && !strip.contains(control)
                    {
                        strip.push(*control);
                    }
                }
            }
        }
        Self {
            id: id.map(Into::into),
            identity: Identity::read(headers, sessions),
            api: api.filter(|_| !encoded && is_json_or_unsaid(content_type)),
            is_grpc: starts_with(content_type, b"application/grpc"),
            content_length,
            strip,
        }
    }
}

// === impl ResponseHead ===

impl ResponseHead {
    /// Reads `headers`.
    pub fn read(headers: &[HeaderValue]) -> Self {
        let mut head = Self { is_plain: true, ..Self::default() };
        for header in headers {
            let value = value(header);
            match &*header.key {
                b":status" => {
                    head.status = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                }
                b"content-type" => {
                    head.is_event_stream = starts_with(value, b"text/event-stream");
                    head.is_plain = starts_with(value, b"text/plain");
                }
                b"x-envoy-upstream-service-time" => head.from_upstream = true,
                b"x-envoy-overloaded" => head.is_overload = true,
                _ => {}
            }
        }
        head
    }

    /// Who made the answer, as far as its headers show: engines answer errors in JSON, gateways in plain text.
    pub fn origin(&self) -> Origin {
        match (self.is_overload, self.from_upstream || !self.is_plain) {
            (true, _) => Origin::Overload,
            (false, true) => Origin::Endpoint,
            (false, false) => Origin::Gateway,
        }
    }
}

fn is_json_or_unsaid(content_type: &[u8]) -> bool {
    content_type.is_empty() || starts_with(content_type, b"application/json")
}

fn starts_with(value: &[u8], prefix: &[u8]) -> bool {
    value.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(key: &str, raw: &str) -> HeaderValue {
        HeaderValue { key: key.to_owned().into(), raw_value: raw.to_owned().into(), ..HeaderValue::default() }
    }

    fn api(headers: &[(&str, &str)]) -> Option<Api> {
        let headers: Vec<_> = headers.iter().map(|(key, value)| header(key, value)).collect();
        RequestHead::read(&headers, &Sessions::default()).api
    }

    #[test]
    fn only_json_on_a_known_path_is_read() {
        let [chat, completions, unsaid] = [Api::Chat, Api::Completions, Api::Unsaid].map(Some);
        for (headers, expected) in [
            (&[(":path", "/v1/chat/completions")][..], chat),
            (&[(":path", "/v1/completions?x=1"), ("content-type", "application/json; charset=utf-8")], completions),
            (&[], unsaid),
            (&[(":path", "/v1/audio/transcriptions")], None),
            (&[(":path", "/v1/completions"), ("content-type", "multipart/form-data")], None),
            (&[(":path", "/v1/completions"), ("content-type", "application/grpc")], None),
            (&[(":path", "/v1/completions"), ("content-encoding", "gzip")], None),
            (&[(":path", "/v1/completions"), ("content-encoding", "identity")], completions),
        ] {
            assert_eq!(api(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn values_are_read_from_either_field_and_need_not_be_text() {
        let plain = HeaderValue { key: ":status".into(), value: "503".into(), ..HeaderValue::default() };
        assert_eq!(ResponseHead::read(&[plain]).status, 503);
        let odd =
            HeaderValue { key: "content-length".into(), raw_value: vec![0xff, 0x00].into(), ..HeaderValue::default() };
        assert_eq!(RequestHead::read(&[odd], &Sessions::default()).content_length, None);
    }

    #[test]
    fn control_headers_are_stripped_once_in_any_letter_case() {
        let headers = [
            header("X-Gateway-Destination-Endpoint-Subset", "10.0.0.1"),
            header("x-gateway-destination-endpoint-subset", "10.0.0.2"),
            header("x-slo-ttft-ms", "5"),
            header("accept", "*/*"),
        ];
        let head = RequestHead::read(&headers, &Sessions::default());
        assert_eq!(head.strip, ["x-gateway-destination-endpoint-subset", "x-slo-ttft-ms"]);
    }
}
