//! The floor: a picker that answers one fixed endpoint and sends the body back, as plainly as tonic allows.
//!
//! It waits for the end of the body as a picker must that reads it, and answers both directions.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as In;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Out;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ProcessingRequest, ProcessingResponse,
    StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

const KEY: &str = "x-gateway-destination-endpoint";

/// The size that pickers of the field send.
const CHUNK: usize = 62_000;

/// Serves for ever; says where in the words that `homing serve` uses.
pub fn run(endpoint: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        println!(r#"{{"message":"listening","port_name":"grpc","address":"{address}"}}"#);
        println!(r#"{{"message":"ready"}}"#);
        let service = ExternalProcessorServer::new(Echo { picked: picked(endpoint) });
        Server::builder()
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .max_frame_size(256 << 10)
            // Every stream here ends by a reset; the default takes a thousand odd ones for an attack.
            .http2_max_local_error_reset_streams(None)
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
            .await?;
        Ok(())
    })
}

struct Echo {
    picked: ProcessingResponse,
}

/// One stream: what came is turned into answers, in order.
struct Answers {
    inbound: Streaming<ProcessingRequest>,
    picked: Option<ProcessingResponse>,
    body: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    queue: VecDeque<ProcessingResponse>,
}

#[tonic::async_trait]
impl ExternalProcessor for Echo {
    type ProcessStream = Answers;

    async fn process(&self, request: Request<Streaming<ProcessingRequest>>) -> Result<Response<Answers>, Status> {
        Ok(Response::new(Answers {
            inbound: request.into_inner(),
            picked: Some(self.picked.clone()),
            body: Vec::new(),
            pieces: Vec::new(),
            queue: VecDeque::new(),
        }))
    }
}

impl Stream for Answers {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(answer) = self.queue.pop_front() {
                return Poll::Ready(Some(Ok(answer)));
            }
            match ready!(Pin::new(&mut self.inbound).poll_next(cx)) {
                Some(Ok(message)) => self.take(message),
                _ => return Poll::Ready(None),
            }
        }
    }
}

impl Answers {
    fn take(&mut self, message: ProcessingRequest) {
        match message.request {
            Some(In::RequestHeaders(headers)) if headers.end_of_stream => self.queue.extend(self.picked.take()),
            Some(In::RequestBody(chunk)) => {
                self.keep(chunk.body);
                if chunk.end_of_stream {
                    self.queue.extend(self.picked.take());
                    for piece in std::mem::take(&mut self.pieces) {
                        self.queue.push_back(answer(Out::RequestBody(streamed(piece, false))));
                    }
                    let last = std::mem::take(&mut self.body);
                    self.queue.push_back(answer(Out::RequestBody(streamed(last, true))));
                }
            }
            Some(In::ResponseHeaders(_)) => {
                self.queue.push_back(answer(Out::ResponseHeaders(HeadersResponse::default())));
            }
            Some(In::ResponseBody(chunk)) => {
                self.queue.push_back(answer(Out::ResponseBody(streamed(chunk.body, chunk.end_of_stream))));
            }
            Some(In::RequestTrailers(_)) => {
                self.queue.push_back(answer(Out::RequestTrailers(TrailersResponse::default())));
            }
            Some(In::ResponseTrailers(_)) => {
                self.queue.push_back(answer(Out::ResponseTrailers(TrailersResponse::default())));
            }
            Some(In::RequestHeaders(_)) | None => {}
        }
    }

    /// Takes the first chunk as it is, fills it up with what follows, and begins another when it is full.
    fn keep(&mut self, mut chunk: Vec<u8>) {
        if self.body.is_empty() && chunk.len() <= CHUNK {
            self.body = chunk;
            return;
        }
        loop {
            let room = CHUNK - self.body.len();
            if chunk.len() <= room {
                self.body.extend_from_slice(&chunk);
                return;
            }
            let rest = chunk.split_off(room);
            self.body.extend_from_slice(&chunk);
            self.pieces.push(std::mem::replace(&mut self.body, Vec::with_capacity(CHUNK)));
            chunk = rest;
        }
    }
}

fn answer(response: Out) -> ProcessingResponse {
    ProcessingResponse { response: Some(response), ..Default::default() }
}

fn streamed(body: Vec<u8>, end_of_stream: bool) -> BodyResponse {
    let streamed = StreamedBodyResponse { body, end_of_stream, ..Default::default() };
    let body_mutation = Some(BodyMutation { mutation: Some(Mutation::StreamedResponse(streamed)) });
    BodyResponse { response: Some(CommonResponse { body_mutation, ..Default::default() }) }
}

/// The endpoint in a header and in metadata, since no gateway reads both.
fn picked(endpoint: &str) -> ProcessingResponse {
    let header = HeaderValue { key: KEY.to_owned(), raw_value: endpoint.into(), ..Default::default() };
    let set_headers = vec![HeaderValueOption { header: Some(header), ..Default::default() }];
    let header_mutation = Some(HeaderMutation { set_headers, ..Default::default() });
    let common = CommonResponse { header_mutation, ..Default::default() };
    let endpoint = Value { kind: Some(Kind::StringValue(endpoint.to_owned())) };
    let fields = Struct { fields: HashMap::from([(KEY.to_owned(), endpoint)]) };
    let namespace = Value { kind: Some(Kind::StructValue(fields)) };
    ProcessingResponse {
        dynamic_metadata: Some(Struct { fields: HashMap::from([("envoy.lb".to_owned(), namespace)]) }),
        ..answer(Out::RequestHeaders(HeadersResponse { response: Some(common) }))
    }
}
