//! From Envoy's messages to events.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, Metadata};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, ProcessingRequest, ProtocolConfiguration};
use envoy_types::pb::google::protobuf::{Struct, value::Kind};

use crate::config::Sessions;

use super::event::{BodyMode, Event, Modes};
use super::head::{RequestHead, ResponseHead};

/// Where gateways tell who served.
const LB_NAMESPACE: &str = "envoy.lb";
const SERVED: &str = "x-gateway-destination-endpoint-served";
/// Where Envoy puts `response_attributes`, and the one that tells who served.
const ATTRIBUTES: &str = "envoy.filters.http.ext_proc";
const UPSTREAM_ADDRESS: &str = "upstream.address";

/// How bodies are handed over, from the first message.
pub fn modes(told: &ProtocolConfiguration) -> Modes {
    let mode = |mode: i32| match BodySendMode::try_from(mode) {
        Ok(BodySendMode::None) => BodyMode::None,
        Ok(BodySendMode::Streamed) => BodyMode::Streamed,
        Ok(BodySendMode::Buffered) => BodyMode::Buffered,
        Ok(BodySendMode::BufferedPartial) => BodyMode::BufferedPartial,
        // Streams of gRPC messages are answered as duplex streams are; so is what is not known yet.
        Ok(BodySendMode::FullDuplexStreamed | BodySendMode::Grpc) | Err(_) => BodyMode::Duplex,
    };
    Modes { request: mode(told.request_body_mode), response: mode(told.response_body_mode) }
}

/// The event in `message`; `None` for one that has none for us.
pub fn event(message: ProcessingRequest, sessions: &Sessions) -> Option<Event> {
    let ProcessingRequest { request, metadata_context, attributes, .. } = message;
    Some(match request? {
        Request::RequestHeaders(headers) => Event::RequestHeaders {
            head: RequestHead::read(list(&headers), &sessions.headers, sessions.generate),
            end: headers.end_of_stream,
        },
        Request::RequestBody(body) => Event::RequestBody { bytes: Bytes::from(body.body), end: body.end_of_stream },
        Request::RequestTrailers(_) => Event::RequestTrailers,
        Request::ResponseHeaders(headers) => Event::ResponseHeaders {
            head: ResponseHead::read(list(&headers)),
            served: served(metadata_context.as_ref(), &attributes),
            end: headers.end_of_stream,
        },
        Request::ResponseBody(body) => Event::ResponseBody { bytes: Bytes::from(body.body), end: body.end_of_stream },
        Request::ResponseTrailers(_) => Event::ResponseTrailers,
    })
}

fn list(headers: &HttpHeaders) -> &[HeaderValue] {
    headers.headers.as_ref().map_or(&[], |HeaderMap { headers }| headers)
}

fn served(metadata: Option<&Metadata>, attributes: &HashMap<String, Struct>) -> Option<SocketAddr> {
    let told = metadata.and_then(|metadata| address(metadata.filter_metadata.get(LB_NAMESPACE)?, SERVED));
    told.or_else(|| address(attributes.get(ATTRIBUTES)?, UPSTREAM_ADDRESS))
}

fn address(fields: &Struct, name: &str) -> Option<SocketAddr> {
    match fields.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(address) => address.parse().ok(),
        _ => None,
    }
}
