//! A gateway's side of the stream, without a gateway: 32 requests in flight over two connections.
//!
//! Every answer is checked, so a picker cannot be fast by being wrong.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BufMut, Bytes};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{BodyResponse, ProcessingResponse, StreamedBodyResponse};
use futures_util::future::try_join_all;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::requests::{Scripted, short_response};

pub const CONNECTIONS: usize = 2;
pub const IN_FLIGHT: usize = 32;

/// Connections to one picker.
#[derive(Debug)]
pub struct Client {
    connections: Vec<Channel>,
}

/// Opens them.
pub async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .tcp_nodelay(true);
    Ok(Client { connections: try_join_all((0..CONNECTIONS).map(|_| endpoint.connect())).await? })
}

// === impl Client ===

impl Client {
    /// Every request once, each with a whole response: what the picker learns from an answer, it has learned.
    pub async fn warm_up(&self, corpus: &[Scripted]) -> anyhow::Result<()> {
        let answered = short_response();
        for (scripted, channel) in corpus.iter().zip(self.connections.iter().cycle()) {
            let response = if scripted.response.is_empty() { &answered } else { &scripted.response };
            stream(channel, scripted, response).await?;
        }
        Ok(())
    }

    /// Requests of the corpus for this long; returns how many. None is under way before or after.
    pub async fn drive(&self, corpus: &[Scripted], length: Duration) -> anyhow::Result<u64> {
        let end = Instant::now() + length;
        let workers = (0..IN_FLIGHT).map(|worker| async move {
            let channel = &self.connections[worker % CONNECTIONS];
            let mut picks = 0;
            for scripted in corpus.iter().cycle().skip(worker) {
                if Instant::now() >= end {
                    break;
                }
                stream(channel, scripted, &scripted.response).await?;
                picks += 1;
            }
            anyhow::Ok(picks)
        });
        Ok(try_join_all(workers).await?.into_iter().sum())
    }
}

/// One stream, ended as Envoy ends it: by a reset as soon as the last answer is in.
async fn stream(channel: &Channel, scripted: &Scripted, response: &[(Bytes, usize)]) -> anyhow::Result<()> {
    let (sender, messages) = mpsc::unbounded_channel();
    for message in &scripted.request {
        sender.send(message.clone())?;
    }
    let path = PathAndQuery::from_static("/envoy.service.ext_proc.v3.ExternalProcessor/Process");
    let mut client = Grpc::new(channel.clone());
    client.ready().await?;
    let request = Request::new(UnboundedReceiverStream::new(messages));
    let mut answers = client.streaming(request, path, Encoded).await?.into_inner();

    let Response::RequestHeaders(picked) = next(&mut answers).await? else { bail!("headers are answered first") };
    let mutation = picked.response.and_then(|common| common.header_mutation).context("no header is set")?;
    let set = |option: &envoy_types::pb::envoy::config::core::v3::HeaderValueOption| {
        option
            .header
            .as_ref()
            .is_some_and(|header| header.key == "x-gateway-destination-endpoint" && !header.raw_value.is_empty())
    };
    ensure!(mutation.set_headers.iter().any(set), "no destination is set");

    if let Some(mut missing) = scripted.body {
        loop {
            let Response::RequestBody(body) = next(&mut answers).await? else { bail!("the body comes next") };
            let piece = streamed(body)?;
            missing = missing.checked_sub(piece.body.len()).context("more body than was sent")?;
            if piece.end_of_stream {
                break;
            }
        }
        ensure!(missing == 0, "{missing} bytes of the body are missing");
    }

    for (index, (message, bytes)) in response.iter().enumerate() {
        sender.send(message.clone())?;
        if index == 0 {
            let Response::ResponseHeaders(_) = next(&mut answers).await? else { bail!("response headers come first") };
            continue;
        }
        let last = index + 1 == response.len();
        let mut missing = *bytes;
        while missing > 0 || last {
            let Response::ResponseBody(body) = next(&mut answers).await? else { bail!("the response's body is next") };
            let piece = streamed(body)?;
            missing = missing.checked_sub(piece.body.len()).context("more body than came")?;
            ensure!(piece.end_of_stream <= last, "the response ends early");
            if piece.end_of_stream {
                break;
            }
        }
    }
    Ok(())
}

async fn next(answers: &mut Streaming<ProcessingResponse>) -> anyhow::Result<Response> {
    let message = answers.message().await?.context("the stream ended")?;
    message.response.context("an answer to nothing")
}

fn streamed(body: BodyResponse) -> anyhow::Result<StreamedBodyResponse> {
    match body.response.and_then(|common| common.body_mutation).and_then(|body| body.mutation) {
        Some(Mutation::StreamedResponse(piece)) => Ok(piece),
        other => bail!("not a streamed body: {other:?}"),
    }
}

/// Sends messages that are encoded already, so that the client costs little beside what it measures.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ProcessingResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ProcessingResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<ProcessingResponse>, Status> {
        let message = buffer.copy_to_bytes(buffer.remaining());
        ProcessingResponse::decode(message).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
