//! The messages of external processing are trimmed here; the published ones, as envoy-types has them, read them all the same.

use std::fmt::Debug;

use envoy_types::pb::envoy::service::ext_proc::v3 as published;
use homing::proto::envoy::body_mutation::Mutation;
use homing::proto::envoy::processing_request::Request;
use homing::proto::envoy::processing_response::Response;
use homing::proto::envoy::value::Kind;
use homing::proto::envoy::{
    BodyMutation, BodyResponse, BodySendMode, CommonResponse, Field, GrpcStatus, HeaderAppendAction, HeaderMap,
    HeaderMutation, HeaderValue, HeaderValueOption, HeadersResponse, HttpBody, HttpHeaders, HttpStatus, HttpTrailers,
    ImmediateResponse, ListValue, Metadata, Namespace, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
    StreamedBodyResponse, Struct, TrailersResponse, Value,
};
use prost::Message;

/// Fails where `Published` does not know a field of `message`, has it under another number or as another type: it would
/// not write it again.
fn assert_published<Published: Message + Default + Debug>(message: &(impl Message + Debug)) {
    let bytes = message.encode_to_vec();
    let read = Published::decode(&*bytes).expect("the published message can be read");
    assert_eq!(read.encode_to_vec(), bytes, "{message:?} is read as {read:?}");
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn only(key: &'static str, value: Value) -> Struct {
    Struct { fields: vec![Field { key: key.into(), value: Some(value) }] }
}

fn header() -> HeaderValue {
    HeaderValue { key: "x".into(), value: "plain".into(), raw_value: vec![0xff].into() }
}

fn mutation() -> HeaderMutation {
    HeaderMutation {
        set_headers: vec![HeaderValueOption {
            header: Some(header()),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        }],
        remove_headers: vec!["y".into()],
    }
}

fn headers() -> HttpHeaders {
    HttpHeaders { headers: Some(HeaderMap { headers: vec![header()] }), end_of_stream: true }
}

fn body() -> HttpBody {
    HttpBody { body: vec![0xff; 3].into(), end_of_stream: true }
}

fn common() -> CommonResponse {
    let piece = StreamedBodyResponse { body: vec![0xff; 3].into(), end_of_stream: true };
    CommonResponse {
        header_mutation: Some(mutation()),
        body_mutation: Some(BodyMutation { mutation: Some(Mutation::StreamedResponse(piece)) }),
        clear_route_cache: true,
    }
}

fn kinds() -> Vec<Kind> {
    let list = ListValue { values: vec![value(Kind::BoolValue(true))] };
    vec![
        Kind::NullValue(0),
        Kind::NumberValue(1.5),
        Kind::StringValue("text".into()),
        Kind::StructValue(only("inner", value(Kind::BoolValue(false)))),
        Kind::ListValue(list),
    ]
}

#[test]
fn the_gateway_says_what_is_read_here() {
    let modes = ProtocolConfiguration {
        request_body_mode: BodySendMode::FullDuplexStreamed.into(),
        response_body_mode: BodySendMode::BufferedPartial.into(),
    };
    for kind in kinds() {
        let told = Namespace { key: "namespace".into(), value: Some(only("key", value(kind))) };
        for request in [
            Request::RequestHeaders(headers()),
            Request::ResponseHeaders(headers()),
            Request::RequestBody(body()),
            Request::ResponseBody(body()),
            Request::RequestTrailers(HttpTrailers {}),
            Request::ResponseTrailers(HttpTrailers {}),
        ] {
            assert_published::<published::ProcessingRequest>(&ProcessingRequest {
                request: Some(request),
                metadata_context: Some(Metadata { filter_metadata: vec![told.clone()] }),
                attributes: vec![told.clone()],
                observability_mode: true,
                protocol_config: Some(modes),
            });
        }
    }
}

#[test]
fn the_gateway_reads_what_is_said_here() {
    for kind in kinds() {
        for response in [
            Response::RequestHeaders(HeadersResponse { response: Some(common()) }),
            Response::ResponseHeaders(HeadersResponse { response: Some(common()) }),
            Response::RequestBody(BodyResponse { response: Some(common()) }),
            Response::ResponseBody(BodyResponse { response: Some(common()) }),
            Response::RequestTrailers(TrailersResponse {}),
            Response::ResponseTrailers(TrailersResponse {}),
            Response::ImmediateResponse(ImmediateResponse {
                status: Some(HttpStatus { code: 503 }),
                headers: Some(mutation()),
                body: "body".into(),
                grpc_status: Some(GrpcStatus { status: 14 }),
                details: "details".into(),
            }),
        ] {
            assert_published::<published::ProcessingResponse>(&ProcessingResponse {
                response: Some(response),
                dynamic_metadata: Some(only("namespace", value(kind.clone()))),
            });
        }
    }
}

#[test]
fn numbers_of_modes_and_actions_are_the_published_ones() {
    use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction as PublishedAction;
    use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode as PublishedMode;
    for number in -1..8 {
        let (mode, published) = (BodySendMode::try_from(number).ok(), PublishedMode::try_from(number).ok());
        assert_eq!(mode.map(|mode| mode.as_str_name()), published.map(|mode| mode.as_str_name()));
        let (action, published) = (HeaderAppendAction::try_from(number).ok(), PublishedAction::try_from(number).ok());
        assert_eq!(action.map(|action| action.as_str_name()), published.map(|action| action.as_str_name()));
    }
}

#[test]
fn what_is_not_read_here_is_skipped_and_bytes_that_are_no_text_fail_nobodys_request() {
    let full = published::ProcessingRequest {
        request: Some(published::processing_request::Request::RequestBody(published::HttpBody {
            body: b"body".to_vec(),
            grpc_message_compressed: true,
            end_of_stream_without_message: true,
            ..published::HttpBody::default()
        })),
        ..published::ProcessingRequest::default()
    };
    let read = ProcessingRequest::decode(&*full.encode_to_vec()).expect("unknown fields are skipped");
    assert_eq!(read.request, Some(Request::RequestBody(HttpBody { body: "body".into(), end_of_stream: false })));
    let odd = ProcessingRequest {
        request: Some(Request::RequestHeaders(HttpHeaders {
            headers: Some(HeaderMap { headers: vec![HeaderValue { key: vec![0xff].into(), ..header() }] }),
            end_of_stream: true,
        })),
        ..ProcessingRequest::default()
    };
    assert!(ProcessingRequest::decode(&*odd.encode_to_vec()).is_ok_and(|read| read == odd));
}
