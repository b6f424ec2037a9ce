//! Sends messages that are encoded already, so that the client costs little beside what it measures.

use bytes::{Buf, BufMut, Bytes};
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

#[derive(Clone, Copy, Debug)]
pub struct Encoded;

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
