//! One service that is called without a router, and all others behind one.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::service::Routes;

/// What a runtime serves: anything that answers gRPC calls and can be had once for each runtime.
pub trait Answers:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + Unpin> + Clone + Send + 'static
{
}

/// Calls of `S` go straight to it. That is nearly all of them, and a router costs each some allocations.
#[derive(Clone, Debug)]
pub struct Direct<S> {
    service: S,
    others: Routes,
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + Unpin>
        + Clone
        + Send
        + 'static
{
}

impl<S: Answers + NamedService> Direct<S> {
    /// Serves `service`, and `others` by their names.
    pub fn new(service: S, others: Routes) -> Self {
        Self { service, others: others.prepare() }
    }
}

impl<S: Answers + NamedService> Service<Request<Body>> for Direct<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, <Routes as Service<Request<Body>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        std::task::ready!(self.service.poll_ready(cx))?;
        Service::<Request<Body>>::poll_ready(&mut self.others, cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (service, _) = request.uri().path().trim_start_matches('/').split_once('/').unwrap_or_default();
        if service == S::NAME {
            Either::Left(self.service.call(request))
        } else {
            Either::Right(self.others.call(request))
        }
    }
}
