//! One request as a gateway has it with its picker: one stream, whose answers are all checked.
//!
//! A picker cannot be fast by being wrong. Dropped, the stream ends as Envoy ends it: by a reset.

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{BodyResponse, ProcessingResponse, StreamedBodyResponse};
use http::uri::PathAndQuery;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Request, Streaming};

use crate::codec::Encoded;
use crate::requests::Chunk;

const METHOD: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";

#[derive(Debug)]
pub struct Exchange {
    sender: UnboundedSender<Bytes>,
    answers: Streaming<ProcessingResponse>,
}

impl Exchange {
    /// Opens the stream and sends these messages with it: Envoy waits for no answer before it goes on.
    pub async fn open(connection: &Channel, messages: &[Bytes]) -> anyhow::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for message in messages {
            sender.send(message.clone())?;
        }
        let mut client = Grpc::new(connection.clone());
        client.ready().await?;
        let request = Request::new(UnboundedReceiverStream::new(receiver));
        let answers = client.streaming(request, PathAndQuery::from_static(METHOD), Encoded).await?.into_inner();
        Ok(Self { sender, answers })
    }

    pub fn send(&self, message: Bytes) -> anyhow::Result<()> {
        Ok(self.sender.send(message)?)
    }

    /// Waits for the answer to the headers, which names a destination.
    pub async fn picked(&mut self) -> anyhow::Result<()> {
        let Response::RequestHeaders(picked) = self.next().await? else { bail!("headers are answered first") };
        let mutation = picked.response.and_then(|common| common.header_mutation).context("no header is set")?;
        ensure!(mutation.set_headers.iter().any(is_destination), "no destination is set");
        Ok(())
    }

    /// Waits until so many bytes of the request have come back, and its end.
    pub async fn passed(&mut self, mut missing: usize) -> anyhow::Result<()> {
        loop {
            let Response::RequestBody(body) = self.next().await? else { bail!("the body comes next") };
            let piece = streamed(body)?;
            missing = missing.checked_sub(piece.body.len()).context("more body than was sent")?;
            if piece.end_of_stream {
                break;
            }
        }
        ensure!(missing == 0, "{missing} bytes of the body are missing");
        Ok(())
    }

    /// Sends the response's headers and waits for their answer.
    pub async fn response_headers(&mut self, message: &Chunk) -> anyhow::Result<()> {
        self.send(message.message.clone())?;
        let Response::ResponseHeaders(_) = self.next().await? else { bail!("response headers come first") };
        Ok(())
    }

    /// Sends a chunk of the response's body and waits until it has come back.
    pub async fn response_chunk(&mut self, chunk: &Chunk, last: bool) -> anyhow::Result<()> {
        self.send(chunk.message.clone())?;
        let mut missing = chunk.bytes;
        while missing > 0 || last {
            let Response::ResponseBody(body) = self.next().await? else { bail!("the response's body is next") };
            let piece = streamed(body)?;
            missing = missing.checked_sub(piece.body.len()).context("more body than came")?;
            ensure!(piece.end_of_stream <= last, "the response ends early");
            if piece.end_of_stream {
                break;
            }
        }
        Ok(())
    }

    /// A whole response, or as many messages of it as are given.
    pub async fn response(&mut self, messages: &[Chunk]) -> anyhow::Result<()> {
        let Some((headers, chunks)) = messages.split_first() else { return Ok(()) };
        self.response_headers(headers).await?;
        for chunk in chunks {
            self.response_chunk(chunk, chunk.is_end()).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> anyhow::Result<Response> {
        let message = self.answers.message().await?.context("the stream ended")?;
        message.response.context("an answer to nothing")
    }
}

fn is_destination(option: &HeaderValueOption) -> bool {
    let destination = |key: &str| key == "x-gateway-destination-endpoint";
    option.header.as_ref().is_some_and(|header| destination(&header.key) && !header.raw_value.is_empty())
}

fn streamed(body: BodyResponse) -> anyhow::Result<StreamedBodyResponse> {
    match body.response.and_then(|common| common.body_mutation).and_then(|body| body.mutation) {
        Some(Mutation::StreamedResponse(piece)) => Ok(piece),
        other => bail!("not a streamed body: {other:?}"),
    }
}
