//! From replies to Envoy's messages.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, GrpcStatus, HeaderMutation, HeadersResponse, ImmediateResponse,
    ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use super::answers::{BodyReply, Refusal, Reply, RequestAnswer};
use super::head::DESTINATION;

/// The namespace in which load balancers look for the destination.
const LB_NAMESPACE: &str = "envoy.lb";
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
                set_headers: set.iter().map(|(name, value)| header(name, value)).collect(),
                remove_headers: Vec::new(),
            });
            let response = Some(CommonResponse { header_mutation: mutation, ..CommonResponse::default() });
            (Response::ResponseHeaders(HeadersResponse { response }), None)
        }
        Reply::ResponseBody(body) => (Response::ResponseBody(body_response(body).0), None),
        Reply::ResponseTrailers => (Response::ResponseTrailers(TrailersResponse::default()), None),
        Reply::Refuse(refusal) => (Response::ImmediateResponse(immediate(&refusal)), None),
    };
    ProcessingResponse {
        response: Some(response),
        dynamic_metadata: destination.map(|destination| metadata(&destination)),
        ..ProcessingResponse::default()
    }
}

/// The destination goes into header and metadata alike: no gateway reads both, each reads one.
fn request_answer(answer: RequestAnswer) -> (CommonResponse, Option<Box<str>>) {
    let RequestAnswer { destination, clear_route_cache, strip, set } = answer;
    let more = set.iter().map(|(name, value)| header(name, value));
    let mutation = HeaderMutation {
        set_headers: destination.iter().map(|destination| header(DESTINATION, destination)).chain(more).collect(),
        remove_headers: strip.iter().map(|name| (*name).to_owned()).collect(),
    };
    let is_empty = mutation.set_headers.is_empty() && mutation.remove_headers.is_empty();
    let header_mutation = (!is_empty).then_some(mutation);
    (CommonResponse { header_mutation, clear_route_cache, ..CommonResponse::default() }, destination)
}

fn body_response(body: BodyReply) -> (BodyResponse, Option<Box<str>>) {
    match body {
        BodyReply::Piece(bytes, end) => {
            let piece =
                StreamedBodyResponse { body: vec(bytes), end_of_stream: end, ..StreamedBodyResponse::default() };
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

/// Without a copy where the piece is a whole chunk that nobody else holds.
fn vec(bytes: Bytes) -> Vec<u8> {
    bytes.into()
}

fn metadata(destination: &str) -> Struct {
    let string = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let inner = Struct { fields: [(DESTINATION.to_owned(), string(destination))].into() };
    let outer = Value { kind: Some(Kind::StructValue(inner)) };
    Struct { fields: [(LB_NAMESPACE.to_owned(), outer)].into() }
}

/// Always `raw_value`: with `value` alone Envoy writes an empty header.
fn header(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), raw_value: value.into(), ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

/// An immediate response always has a status, a content type and a JSON body in OpenAI's shape.
fn immediate(refusal: &Refusal) -> ImmediateResponse {
    let Refusal { status, reason, message, session, retry_after, is_grpc } = refusal;
    let body = serde_json::json!({
        "error": {"message": message, "type": reason, "param": null, "code": status}
    });
    let mut set_headers = vec![header("content-type", "application/json"), header(REASON, reason)];
    set_headers.extend(session.iter().map(|(name, id)| header(name, id)));
    set_headers.extend(retry_after.iter().map(|seconds| header("retry-after", &seconds.to_string())));
    ImmediateResponse {
        status: Some(HttpStatus { code: i32::from(*status) }),
        headers: Some(HeaderMutation { set_headers, remove_headers: Vec::new() }),
        grpc_status: is_grpc.then(|| GrpcStatus { status: grpc_code(*status) as u32 }),
        body: body.to_string().into_bytes(),
        details: format!("homing_{}", reason.replace('-', "_")),
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
        assert_eq!((set.key.as_str(), set.value.as_str(), &*set.raw_value), (DESTINATION, "", &b"[::1]:8000"[..]));
        assert_eq!(mutation.remove_headers, ["x-slo-ttft-ms"]);
        assert_eq!(message.dynamic_metadata, Some(metadata("[::1]:8000")));
    }

    #[test]
    fn a_whole_chunk_is_passed_on_without_a_copy() {
        let chunk = vec![7u8; 1000];
        let address = chunk.as_ptr();
        let passed = vec(Bytes::from(chunk));
        assert_eq!(passed.as_ptr(), address);
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
        assert_eq!(sent(refusal(429, false)), (Some(429), None, Some(b"3".to_vec())));
        for (status, code) in [(429, 8), (503, 14), (413, 8), (400, 3)] {
            let (http, grpc, _) = sent(refusal(status, true));
            assert_eq!((http, grpc), (Some(i32::from(status)), Some(code)));
        }
    }
}
