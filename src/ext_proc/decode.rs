//! From Envoy's messages to events.

use std::net::SocketAddr;

use crate::config::Sessions;
use crate::model::Subset;
use crate::proto::envoy::processing_request::Request;
use crate::proto::envoy::value::Kind;
use crate::proto::envoy::{
    BodySendMode, HeaderMap, HeaderValue, HttpHeaders, Metadata, Namespace, ProcessingRequest, ProtocolConfiguration,
    Struct,
};

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
    let told = field(namespace(&metadata?.filter_metadata, SUBSET_NAMESPACE)?, SUBSET)?;
    let mut subset = Subset::default();
    match told {
        Some(Kind::StringValue(text)) => subset.admit(header::text(text)),
        Some(Kind::ListValue(list)) => {
            for value in &list.values {
                match &value.kind {
                    Some(Kind::StringValue(text)) => subset.admit(header::text(text)),
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
    for header in list(headers).iter().filter(|header| header.key.eq_ignore_ascii_case(name.as_bytes())) {
        let text = header::text(header::value(header)).trim();
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
        Request::RequestBody(body) => Event::RequestBody { bytes: body.body, end: body.end_of_stream },
        Request::RequestTrailers(_) => Event::RequestTrailers,
        Request::ResponseHeaders(headers) => Event::ResponseHeaders {
            head: ResponseHead::read(list(&headers)),
            served: served(metadata_context.as_ref(), &attributes),
            end: headers.end_of_stream,
        },
        Request::ResponseBody(body) => Event::ResponseBody { bytes: body.body, end: body.end_of_stream },
        Request::ResponseTrailers(_) => Event::ResponseTrailers,
    })
}

fn list(headers: &HttpHeaders) -> &[HeaderValue] {
    headers.headers.as_ref().map_or(&[], |HeaderMap { headers }| headers)
}

fn served(metadata: Option<&Metadata>, attributes: &[Namespace]) -> Option<SocketAddr> {
    let told = metadata.and_then(|metadata| address(namespace(&metadata.filter_metadata, LB_NAMESPACE)?, SERVED));
    told.or_else(|| address(namespace(attributes, ATTRIBUTES)?, UPSTREAM_ADDRESS))
}

/// The last entry of that key, as in any map on this wire.
fn namespace<'a>(map: &'a [Namespace], key: &str) -> Option<&'a Struct> {
    map.iter().rev().find(|entry| entry.key == key)?.value.as_ref()
}

/// What is said under that key; none of any kind where an entry stands there without one.
fn field<'a>(map: &'a Struct, key: &str) -> Option<&'a Option<Kind>> {
    let entry = map.fields.iter().rev().find(|entry| entry.key == key)?;
    Some(entry.value.as_ref().map_or(&None, |value| &value.kind))
}

fn address(fields: &Struct, name: &str) -> Option<SocketAddr> {
    match field(fields, name)?.as_ref()? {
        Kind::StringValue(address) => header::text(address).parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::envoy::{Field, ListValue, Value};

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    fn text(text: &'static str) -> Value {
        value(Kind::StringValue(text.into()))
    }

    fn within(fields: Vec<Field>) -> Metadata {
        Metadata { filter_metadata: vec![Namespace { key: SUBSET_NAMESPACE.into(), value: Some(Struct { fields }) }] }
    }

    fn list(values: Vec<Value>) -> Value {
        value(Kind::ListValue(ListValue { values }))
    }

    /// (whether it admits 10.0.0.1:8000, how odd it is); `None` where there is no hint.
    fn hint(told: Value) -> Option<(bool, usize)> {
        let metadata = within(vec![Field { key: SUBSET.into(), value: Some(told) }]);
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
        let nothing = within(vec![Field { key: SUBSET.into(), value: None }]);
        let mut odd = 0;
        let told = subset(Some(&nothing), || odd += 1).expect("a key without a value restricts all the same");
        assert!(odd == 1 && !told.admits("10.0.0.1:8000".parse().expect("an address")));
        let odd = || panic!("nothing was told");
        assert_eq!(subset(None, odd), None);
        assert_eq!(subset(Some(&Metadata::default()), odd), None);
        assert_eq!(subset(Some(&within(Vec::new())), odd), None);
    }
}
