//! What Envoy tells, free of gRPC.

use std::net::SocketAddr;

use bytes::Bytes;

use super::head::{RequestHead, ResponseHead};

/// How the body of one direction is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// Not at all.
    None,
    /// Chunk by chunk, each answered once.
    Streamed,
    /// In one message, whole.
    Buffered,
    /// In one message, cut off at the gateway's limit.
    BufferedPartial,
    /// Chunk by chunk, with answers independent of them (FULL_DUPLEX_STREAMED).
    Duplex,
}

/// How both bodies are handed over, from `protocol_config` of the first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    /// The request's body.
    pub request: BodyMode,
    /// The response's body.
    pub response: BodyMode,
}

impl Default for Modes {
    /// A gateway that does not say means full duplex both ways.
    fn default() -> Self {
        Self { request: BodyMode::Duplex, response: BodyMode::Duplex }
    }
}

/// One message from the gateway.
#[derive(Clone, Debug)]
pub enum Event {
    /// The request's headers.
    RequestHeaders {
        /// What matters of them.
        head: RequestHead,
        /// Whether there is no body.
        end: bool,
    },
    /// A chunk of the request's body.
    RequestBody {
        /// Its bytes.
        bytes: Bytes,
        /// Whether it is the last.
        end: bool,
    },
    /// The request's trailers, which end its body.
    RequestTrailers,
    /// The response's headers.
    ResponseHeaders {
        /// What matters of them.
        head: ResponseHead,
        /// Who served, where the gateway tells.
        served: Option<SocketAddr>,
        /// Whether there is no body.
        end: bool,
    },
    /// A chunk of the response's body.
    ResponseBody {
        /// Its bytes.
        bytes: Bytes,
        /// Whether it is the last.
        end: bool,
    },
    /// The response's trailers, which end its body.
    ResponseTrailers,
}
