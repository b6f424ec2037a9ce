//! From replies to Envoy's messages.

use bytes::Bytes;

use crate::proto::envoy::body_mutation::Mutation;
use crate::proto::envoy::processing_response::Response;
use crate::proto::envoy::value::Kind;
use crate::proto::envoy::{
    BodyMutation, BodyResponse, CommonResponse, Field, GrpcStatus, HeaderAppendAction, HeaderMutation, HeaderValue,
    HeaderValueOption, HeadersResponse, HttpStatus, ImmediateResponse, ProcessingResponse, StreamedBodyResponse,
    Struct, TrailersResponse, Value,
};

use super::answers::{BodyReply, Refusal, Reply, RequestAnswer};
use super::head::DESTINATION;

/// The namespace in which load balancers look for the destination.
const LB_NAMESPACE: &[u8] = b"envoy.lb";
/// The header that tells why a request was refused; the name is the field's, from llm-d.
const REASON: &str = "x-llm-d-request-dropped-reason";

/// The message that carries `reply`.
pub fn message(reply: Reply) -> ProcessingResponse {
    let (response, destination) = match reply {
        Reply::RequestHeaders(answer) => {
            let (response, destination) = request_answer(answer);
            (Response::RequestHeaders(HeadersResponse { response: Some(response) }), destination)
        }
        Reply::RequestBody(body) => {
            let (response, destination) = body_response(body);
            (Response::RequestBody(response), destination)
        }
        Reply::RequestTrailers => (Response::RequestTrailers(TrailersResponse::default()), None),
        Reply::ResponseHeaders(set) => {
            let mutation = (!set.is_empty()).then(|| HeaderMutation {
                set_headers: set.into_iter().map(|(name, value)| header(bytes(name), bytes(value))).collect(),
                remove_headers: Vec::new(),
            });
            let response = Some(CommonResponse { header_mutation: mutation, ..CommonResponse::default() });
            (Response::ResponseHeaders(HeadersResponse { response }), None)
        }
        Reply::ResponseBody(body) => (Response::ResponseBody(body_response(body).0), None),
        Reply::ResponseTrailers => (Response::ResponseTrailers(TrailersResponse::default()), None),
        Reply::Refuse(refusal) => (Response::ImmediateResponse(immediate(refusal)), None),
    };
    ProcessingResponse { response: Some(response), dynamic_metadata: destination.map(metadata) }
}

/// The destination goes into header and metadata alike: no gateway reads both, each reads one.
fn request_answer(answer: RequestAnswer) -> (CommonResponse, Option<Bytes>) {
    let RequestAnswer { destination, clear_route_cache, strip, set } = answer;
    let first = destination.clone().map(|destination| header(DESTINATION.into(), destination));
    let more = set.map(|(name, value)| header(name.into(), bytes(value)));
    let mutation = HeaderMutation {
        set_headers: first.into_iter().chain(more).collect(),
        remove_headers: strip.into_iter().map(Into::into).collect(),
    };
    let is_empty = mutation.set_headers.is_empty() && mutation.remove_headers.is_empty();
    let header_mutation = (!is_empty).then_some(mutation);
    (CommonResponse { header_mutation, clear_route_cache, ..CommonResponse::default() }, destination)
}

fn body_response(body: BodyReply) -> (BodyResponse, Option<Bytes>) {
    match body {
        BodyReply::Piece(body, end_of_stream) => {
            let piece = StreamedBodyResponse { body, end_of_stream };
            let mutation = BodyMutation { mutation: Some(Mutation::StreamedResponse(piece)) };
            let response = CommonResponse { body_mutation: Some(mutation), ..CommonResponse::default() };
            (BodyResponse { response: Some(response) }, None)
        }
        BodyReply::Continue(answer) => {
            let (response, destination) = request_answer(answer.unwrap_or_default());
            (BodyResponse { response: Some(response) }, destination)
        }
    }
}

fn metadata(destination: Bytes) -> Struct {
    let only = |key: Bytes, kind| Struct { fields: vec![Field { key, value: Some(Value { kind: Some(kind) }) }] };
    let inner = only(DESTINATION.into(), Kind::StringValue(destination));
    only(LB_NAMESPACE.into(), Kind::StructValue(inner))
}

/// Always `raw_value`: with `value` alone Envoy writes an empty header.
fn header(key: Bytes, raw_value: Bytes) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key, raw_value, ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

/// Without a copy.
fn bytes(text: Box<str>) -> Bytes {
    Bytes::from(String::from(text))
}

/// An immediate response always has a status, a content type and a JSON body in OpenAI's shape.
fn immediate(refusal: Refusal) -> ImmediateResponse {
    let Refusal { status, reason, message, session, retry_after, is_grpc } = refusal;
    let body = serde_json::json!({
        "error": {"message": message, "type": reason, "param": null, "code": status}
    });
    let mut set_headers =
        vec![header("content-type".into(), "application/json".into()), header(REASON.into(), reason.into())];
    set_headers.extend(session.map(|(name, id)| header(bytes(name), bytes(id))));
    set_headers.extend(retry_after.map(|seconds| header("retry-after".into(), seconds.to_string().into())));
    ImmediateResponse {
        status: Some(HttpStatus { code: i32::from(status) }),
        headers: Some(HeaderMutation { set_headers, remove_headers: Vec::new() }),
        grpc_status: is_grpc.then(|| GrpcStatus { status: grpc_code(status) as u32 }),
        body: body.to_string().into(),
        details: format!("homing_{}", reason.replace('-', "_")).into(),
    }
}

/// The gRPC status that says what an HTTP status says.
fn grpc_code(status: u16) -> tonic::Code {
    match status {
        400 => tonic::Code::InvalidArgument,
        413 | 429 => tonic::Code::ResourceExhausted,
        _ => tonic::Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_metadata_name_the_same_destination() {
        let message = message(Reply::RequestHeaders(RequestAnswer {
            destination: Some("[::1]:8000".into()),
            clear_route_cache: true,
            strip: vec!["x-slo-ttft-ms"],
            set: None,
        }));
        let Some(Response::RequestHeaders(HeadersResponse { response: Some(common) })) = message.response else {
            panic!("headers are answered with headers")
        };
        assert!(common.clear_route_cache);
        let mutation = common.header_mutation.expect("a mutation");
        let set = mutation.set_headers[0].header.as_ref().expect("a header");
        assert_eq!(*set, HeaderValue { key: DESTINATION.into(), raw_value: "[::1]:8000".into(), value: Bytes::new() });
        assert_eq!(mutation.remove_headers, ["x-slo-ttft-ms"]);
        assert_eq!(message.dynamic_metadata, Some(metadata("[::1]:8000".into())));
    }

    #[test]
    fn a_whole_chunk_is_passed_on_without_a_copy() {
        let chunk = Bytes::from(vec![7u8; 1000]);
        let message = message(Reply::RequestBody(BodyReply::Piece(chunk.clone(), true)));
        let Some(Response::RequestBody(BodyResponse { response: Some(CommonResponse { body_mutation, .. }) })) =
            message.response
        else {
            panic!("a body is answered with a body")
        };
        let Some(BodyMutation { mutation: Some(Mutation::StreamedResponse(piece)) }) = body_mutation else {
            panic!("a piece is streamed")
        };
        assert_eq!(piece.body.as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_speaks_grpc_to_those_who_do() {
        let refusal = |status, is_grpc| Refusal {
            status,
            reason: "rejected-saturated",
            message: "all are busy".into(),
            session: None,
            retry_after: (status == 429).then_some(3),
            is_grpc,
        };
        let sent = |refusal| {
            let Some(Response::ImmediateResponse(immediate)) = message(Reply::Refuse(refusal)).response else {
                panic!("a refusal is an immediate response")
            };
            let headers = immediate.headers.unwrap_or_default().set_headers.into_iter().filter_map(|it| it.header);
            let retry = headers.filter(|header| header.key == "retry-after").map(|header| header.raw_value).next();
            (immediate.status.map(|status| status.code), immediate.grpc_status.map(|status| status.status), retry)
        };
        assert_eq!(sent(refusal(429, false)), (Some(429), None, Some("3".into())));
        for (status, code) in [(429, 8), (503, 14), (413, 8), (400, 3)] {
            let (http, grpc, _) = sent(refusal(status, true));
            assert_eq!((http, grpc), (Some(i32::from(status)), Some(code)));
        }
    }
}
