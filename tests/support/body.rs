//! Bodies that arrive when a test says so.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::HeaderMap;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::Semaphore;

use super::wait::within;

/// The one body type of requests and answers; an error in it resets the stream.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A gate that a test opens, one piece at a time or for good.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A gate that nothing passes yet.
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets `pieces` more pass.
    pub fn let_pass(&self, pieces: usize) {
        self.0.add_permits(pieces);
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits to pass.
    pub async fn pass(&self) {
        // An error means that the gate stands open.
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body that is there at once, of a known length.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Pieces that follow each other at once, without a length, and `trailers` after them.
pub fn pieces(pieces: Vec<Bytes>, trailers: Option<HeaderMap>) -> Body {
    let data = stream::iter(pieces).map(|piece| Ok(Frame::data(piece)));
    let trailers = stream::iter(trailers).map(|trailers| Ok(Frame::trailers(trailers)));
    of(data.chain(trailers))
}

/// Pieces that wait at `gate`, each one; `reset` ends the stream with an error instead of an end.
pub fn gated(pieces: Vec<Bytes>, gate: Gate, reset: bool) -> Body {
    let data = stream::iter(pieces).then(move |piece| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok(Frame::data(piece))
        }
    });
    let end = stream::iter(reset.then(|| Err(std::io::Error::other("reset on purpose"))));
    of(data.chain(end))
}

/// Some bytes, and then nothing for ever: an upload that hangs.
pub fn unfinished(bytes: Bytes) -> Body {
    of(stream::iter([Ok(Frame::data(bytes))]).chain(stream::pending()))
}

fn of(frames: impl Stream<Item = std::io::Result<Frame<Bytes>>> + Send + 'static) -> Body {
    StreamBody::new(frames).boxed_unsync()
}

/// The next `length` bytes of an answer, in as many pieces as they come.
pub async fn read(stream: &mut Incoming, length: usize) -> Bytes {
    let mut bytes = BytesMut::new();
    while bytes.len() < length {
        let frame = within("the next bytes", stream.frame()).await.expect("more to come").expect("no error");
        bytes.extend_from_slice(frame.data_ref().expect("data"));
    }
    bytes.freeze()
}

/// What is left of it.
pub async fn read_to_end(stream: Incoming) -> Bytes {
    within("the end", stream.collect()).await.expect("no error").to_bytes()
}
