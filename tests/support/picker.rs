//! Homing's gRPC port without a gateway in between: a hand-driven ext_proc stream.

use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Event;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use super::wait::within;

/// `FULL_DUPLEX_STREAMED`.
const FULL_DUPLEX: i32 = 4;

/// A connection to the gRPC port.
#[derive(Clone)]
pub struct Picker {
    client: ExternalProcessorClient<Channel>,
}

/// One request's stream; dropping it cancels it.
pub struct Stream {
    events: Option<mpsc::Sender<ProcessingRequest>>,
    answers: Streaming<ProcessingResponse>,
    first: bool,
}

// === impl Picker ===

impl Picker {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { client: ExternalProcessorClient::new(channel(address).await) }
    }

    pub async fn open(&self) -> Stream {
        let (events, receiver) = mpsc::channel(16);
        let answers = within("the stream opens", self.client.clone().process(ReceiverStream::new(receiver))).await;
        Stream { events: Some(events), answers: answers.expect("the stream opens").into_inner(), first: true }
    }

    /// A stream of a gateway that does not say which modes it uses.
    pub async fn open_without_protocol_config(&self) -> Stream {
        Stream { first: false, ..self.open().await }
    }

    /// Where a request without a body goes, seen to its end as the gateway would.
    pub async fn place(&self, session: &str) -> String {
        let mut stream = self.open().await;
        stream.send(request_headers(Some(session), "GET", "/v1/models", true)).await;
        let destination = stream.destination().await;
        stream.send(response_headers("200", true)).await;
        let _answered = stream.answer().await;
        stream.half_close();
        while stream.answer().await.is_some() {}
        destination
    }
}

// === impl Stream ===

impl Stream {
    /// Sends one event; it goes nowhere where the picker has ended the stream.
    pub async fn send(&mut self, event: Event) {
        let protocol_config = self.first.then_some(ProtocolConfiguration {
            request_body_mode: FULL_DUPLEX,
            response_body_mode: FULL_DUPLEX,
            send_body_without_waiting_for_header_response: false,
        });
        self.first = false;
        let message = ProcessingRequest { request: Some(event), protocol_config, ..ProcessingRequest::default() };
        let events = self.events.as_ref().expect("the stream is open on this side");
        let _picker_left = events.send(message).await;
    }

    /// The next answer; `None` where the stream has ended.
    pub async fn answer(&mut self) -> Option<Answer> {
        within("an answer on the stream", self.answers.message()).await.ok()??.response
    }

    /// The destination that the next answer names.
    pub async fn destination(&mut self) -> String {
        let Some(Answer::RequestHeaders(answer)) = self.answer().await else {
            panic!("the headers were to be answered first")
        };
        let mutation = answer.response.and_then(|common| common.header_mutation).expect("headers are set");
        let headers = mutation.set_headers.into_iter().filter_map(|option| option.header);
        let mut destinations = headers.filter(|header| header.key == "x-gateway-destination-endpoint");
        let destination = destinations.next().expect("the destination is set").raw_value;
        String::from_utf8(destination).expect("an address is text")
    }

    /// The request's body, as the next answers send it on; each piece of a size that a gateway takes.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let Some(Answer::RequestBody(answer)) = self.answer().await else { panic!("the body was to follow") };
            let mutation = answer.response.and_then(|common| common.body_mutation).and_then(|body| body.mutation);
            let Some(Mutation::StreamedResponse(piece)) = mutation else { panic!("the body is streamed") };
            assert!(piece.body.len() <= 62_000, "a piece of {} bytes", piece.body.len());
            body.extend_from_slice(&piece.body);
            if piece.end_of_stream {
                return body;
            }
        }
    }

    /// Ends this side of the stream properly, as Envoy does when a client leaves.
    pub fn half_close(&mut self) {
        self.events = None;
    }
}

/// A channel to one of Homing's ports.
pub async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a valid address");
    endpoint.connect_timeout(Duration::from_secs(10)).connect().await.expect("the port accepts")
}

/// The head of a request.
pub fn request_headers(session: Option<&str>, method: &str, path: &str, end_of_stream: bool) -> Event {
    let mut headers = vec![
        header(":method", method),
        header(":path", path),
        header(":scheme", "http"),
        header(":authority", "gateway.test"),
        header("content-type", "application/json"),
    ];
    headers.extend(session.map(|id| header("x-session-id", id)));
    Event::RequestHeaders(http_headers(headers, end_of_stream))
}

/// A piece of a request's body.
pub fn request_body(bytes: &[u8], end_of_stream: bool) -> Event {
    Event::RequestBody(http_body(bytes, end_of_stream))
}

/// The head of an answer.
pub fn response_headers(status: &str, end_of_stream: bool) -> Event {
    let headers = vec![header(":status", status), header("content-type", "text/event-stream")];
    Event::ResponseHeaders(http_headers(headers, end_of_stream))
}

/// A piece of an answer's body.
pub fn response_body(bytes: &[u8], end_of_stream: bool) -> Event {
    Event::ResponseBody(http_body(bytes, end_of_stream))
}

fn http_headers(headers: Vec<HeaderValue>, end_of_stream: bool) -> HttpHeaders {
    HttpHeaders { headers: Some(HeaderMap { headers }), end_of_stream, ..HttpHeaders::default() }
}

fn http_body(bytes: &[u8], end_of_stream: bool) -> HttpBody {
    HttpBody { body: bytes.to_vec(), end_of_stream, ..HttpBody::default() }
}

fn header(key: &str, value: &str) -> HeaderValue {
    HeaderValue { key: key.to_owned(), raw_value: value.as_bytes().to_vec(), ..HeaderValue::default() }
}
