//! Counts the gRPC calls that a runtime carries, from the request to the end of the response.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;

use super::direct::Answers;
use super::load::{Count, Hold};

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    service: S,
    streams: Count,
}

/// A call until its response begins.
#[derive(Debug)]
pub struct Call<F> {
    response: F,
    hold: Option<Hold>,
}

/// A response until it has ended, or its client has.
#[derive(Debug)]
pub struct Answer {
    body: Body,
    _hold: Option<Hold>,
}

// === impl Counted ===

impl<S> Counted<S> {
    pub fn new(service: S, streams: Count) -> Self {
        Self { service, streams }
    }
}

impl<S: Answers> Service<Request<Body>> for Counted<S> {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Call<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Call<S::Future> {
        Call { hold: Some(self.streams.hold()), response: self.service.call(request) }
    }
}

// === impl Call ===

impl<F: Future<Output = Result<Response<Body>, Infallible>> + Unpin> Future for Call<F> {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.response)
            .poll(cx)
            .map_ok(|response| response.map(|body| Answer { body, _hold: self.hold.take() }))
    }
}

// === impl Answer ===

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
