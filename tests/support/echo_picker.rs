//! A picker that names a fixed endpoint and does nothing else: what is wrong through it is not Homing's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Event;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, HttpBody, ProcessingRequest,
    ProcessingResponse, StreamedBodyResponse, TrailersResponse, body_mutation,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use futures_util::{Stream, StreamExt, future};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

const DESTINATION: &str = "x-gateway-destination-endpoint";

struct EchoPicker {
    endpoint: String,
}

/// Serves on a free port, for as long as the test's runtime lives.
pub async fn start(endpoint: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let address = listener.local_addr().expect("a bound socket has an address");
    let service = ExternalProcessorServer::new(EchoPicker { endpoint: endpoint.to_string() });
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

#[tonic::async_trait]
impl ExternalProcessor for EchoPicker {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let endpoint = self.endpoint.clone();
        let answers = request.into_inner().filter_map(move |event| {
            let answer = event.ok().and_then(|message| message.request).map(|event| Ok(answer(event, &endpoint)));
            future::ready(answer)
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn answer(event: Event, endpoint: &str) -> ProcessingResponse {
    let mut dynamic_metadata = None;
    let answer = match event {
        Event::RequestHeaders(_) => {
            dynamic_metadata = Some(metadata(endpoint));
            Answer::RequestHeaders(HeadersResponse { response: Some(destination(endpoint)) })
        }
        Event::ResponseHeaders(_) => Answer::ResponseHeaders(HeadersResponse::default()),
        Event::RequestBody(body) => Answer::RequestBody(same(body)),
        Event::ResponseBody(body) => Answer::ResponseBody(same(body)),
        Event::RequestTrailers(_) => Answer::RequestTrailers(TrailersResponse::default()),
        Event::ResponseTrailers(_) => Answer::ResponseTrailers(TrailersResponse::default()),
    };
    ProcessingResponse { response: Some(answer), dynamic_metadata, ..ProcessingResponse::default() }
}

fn destination(endpoint: &str) -> CommonResponse {
    let raw_value = endpoint.as_bytes().to_vec();
    let header = HeaderValue { key: DESTINATION.to_owned(), raw_value, ..HeaderValue::default() };
    let set_headers = vec![HeaderValueOption { header: Some(header), ..HeaderValueOption::default() }];
    CommonResponse {
        header_mutation: Some(HeaderMutation { set_headers, remove_headers: Vec::new() }),
        ..CommonResponse::default()
    }
}

fn metadata(endpoint: &str) -> Struct {
    let value = |kind| Value { kind: Some(kind) };
    let inner = HashMap::from([(DESTINATION.to_owned(), value(Kind::StringValue(endpoint.to_owned())))]);
    Struct { fields: HashMap::from([("envoy.lb".to_owned(), value(Kind::StructValue(Struct { fields: inner })))]) }
}

fn same(body: HttpBody) -> BodyResponse {
    let streamed =
        StreamedBodyResponse { body: body.body, end_of_stream: body.end_of_stream, ..StreamedBodyResponse::default() };
    let mutation = Some(body_mutation::Mutation::StreamedResponse(streamed));
    let body_mutation = Some(BodyMutation { mutation });
    BodyResponse { response: Some(CommonResponse { body_mutation, ..CommonResponse::default() }) }
}
