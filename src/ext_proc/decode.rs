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
use crate::model::Subset;

use super::event::{BodyMode, Event, Modes};
use super::head::{RequestHead, ResponseHead};
use super::header;

/// Where gateways tell who served.
const LB_NAMESPACE: &str = "envoy.lb";
const SERVED: &str = "x-gateway-destination-endpoint-served";
/// Where Envoy puts `response_attributes`, and the one that tells who served.
const ATTRIBUTES: &str = "envoy.filters.http.ext_proc";
const UPSTREAM_ADDRESS: &str = "upstream.address";

/// Where gateways tell which endpoints are allowed.
const SUBSET_NAMESPACE: &str = "envoy.lb.subset_hint";
const SUBSET: &str = "x-gateway-destination-endpoint-subset";

/// The endpoints that the gateway allows, if it says: text, or a list of texts. `odd` is called for anything
/// else, which admits nobody: a gateway that restricts must never be taken for one that does not.
pub fn subset(metadata: Option<&Metadata>, mut odd: impl FnMut()) -> Option<Subset> {
    let told = metadata?.filter_metadata.get(SUBSET_NAMESPACE)?.fields.get(SUBSET)?;
    let mut subset = Subset::default();
    match &told.kind {
        Some(Kind::StringValue(text)) => subset.admit(text),
        Some(Kind::ListValue(list)) => {
            for value in &list.values {
                match &value.kind {
                    Some(Kind::StringValue(text)) => subset.admit(text),
                    _ => odd(),
                }
            }
        }
        _ => odd(),
    }
    Some(subset)
}

/// The endpoints that the request's headers of this name list, if they list any. An empty list is none.
pub fn selection(message: &ProcessingRequest, name: &str) -> Option<Subset> {
    let Some(Request::RequestHeaders(headers)) = &message.request else { return None };
    let mut selection = None;
    for header in list(headers).iter().filter(|header| header.key.eq_ignore_ascii_case(name)) {
        // Bytes that are no text are no address: they admit nobody.
        let text = str::from_utf8(header::value(header)).unwrap_or("-").trim();
        if !text.is_empty() {
            selection.get_or_insert_with(Subset::default).admit(text);
        }
    }
    selection
}

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
        Request::RequestHeaders(headers) => {
            Event::RequestHeaders { head: RequestHead::read(list(&headers), sessions), end: headers.end_of_stream }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::google::protobuf::{ListValue, Value};

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    fn text(text: &str) -> Value {
        value(Kind::StringValue(text.into()))
    }

    fn list(values: Vec<Value>) -> Value {
        value(Kind::ListValue(ListValue { values }))
    }

    /// (whether it admits 10.0.0.1:8000, how odd it is); `None` where there is no hint.
    fn hint(told: Value) -> Option<(bool, usize)> {
        let inner = Struct { fields: [(SUBSET.to_owned(), told)].into() };
        let metadata =
            Metadata { filter_metadata: [(SUBSET_NAMESPACE.to_owned(), inner)].into(), ..Metadata::default() };
        let mut odd = 0;
        let subset = subset(Some(&metadata), || odd += 1)?;
        Some((subset.admits("10.0.0.1:8000".parse().expect("an address")), odd))
    }

    #[test]
    fn a_hint_is_text_or_a_list_and_anything_else_admits_nobody() {
        let none = Value { kind: None };
        for (told, expected) in [
            (text("10.0.0.1:8000"), (true, 0)),
            (text("10.0.0.2, 10.0.0.1"), (true, 0)),
            (list(vec![text("10.0.0.2:8000"), text("10.0.0.3,10.0.0.1:8000")]), (true, 0)),
            (list(vec![]), (false, 0)),
            (text(""), (false, 0)),
            (value(Kind::NumberValue(1.0)), (false, 1)),
            (value(Kind::BoolValue(true)), (false, 1)),
            (value(Kind::NullValue(0)), (false, 1)),
            (value(Kind::StructValue(Struct::default())), (false, 1)),
            (none, (false, 1)),
            (list(vec![value(Kind::NumberValue(1.0)), text("10.0.0.1")]), (true, 1)),
            (list(vec![list(vec![text("10.0.0.1")])]), (false, 1)),
        ] {
            assert_eq!(hint(told.clone()), Some(expected), "{told:?}");
        }
    }

    #[test]
    fn no_metadata_no_namespace_and_no_key_are_no_hint() {
        let odd = || panic!("nothing was told");
        assert_eq!(subset(None, odd), None);
        assert_eq!(subset(Some(&Metadata::default()), odd), None);
        let filter_metadata = [(SUBSET_NAMESPACE.to_owned(), Struct::default())].into();
        assert_eq!(subset(Some(&Metadata { filter_metadata, ..Metadata::default() }), odd), None);
    }
}
