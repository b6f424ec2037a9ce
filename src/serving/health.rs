//! `grpc.health.v1`: what each probe name answers, on the data port and on a plaintext port of its own.
//!
//! [`service`] makes the service for any server, [`serve`] runs it on its own port. The states are not
//! stored: they are read from [`Readiness`], so no name can be forgotten in a wrong one.

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::grpc;
use super::listen;
use super::readiness::{Readiness, State};

/// Answers as long as a runtime reacts, whatever the pool does: a kubelet must not restart what only waits.
const LIVENESS: &str = "liveness";

/// Answer as readiness says. The empty name is the server as a whole; `inference-extension` is asked by
/// the conformance suite and the reference charts, the last by Envoy's health checks.
const READINESS: [&str; 4] = ["", "readiness", "inference-extension", "envoy.service.ext_proc.v3.ExternalProcessor"];

/// The health service; see [`service`].
#[derive(Clone, Debug)]
pub struct Probes {
    readiness: Readiness,
}

/// The service, to be added to a server's routes.
pub fn service(readiness: &Readiness) -> HealthServer<Probes> {
    HealthServer::new(Probes { readiness: readiness.clone() })
}

/// Answers health checks on a plaintext port, for as long as it is polled.
pub async fn serve(listener: TcpListener, readiness: &Readiness) -> Result<(), tonic::transport::Error> {
    let connections = stream::unfold(listener, |listener| async move {
        let connection = listen::accept(&listener).await;
        Some((Ok::<_, std::convert::Infallible>(connection), listener))
    });
    grpc::server().serve_with_incoming(tonic::service::Routes::new(service(readiness)), connections).await
}

/// What a probe of this name answers; [`ServingStatus::ServiceUnknown`] for a name that nobody has.
fn status(name: &str, state: &State) -> ServingStatus {
    if name == LIVENESS {
        return ServingStatus::Serving;
    }
    match (READINESS.contains(&name), state.is_ready()) {
        (false, _) => ServingStatus::ServiceUnknown,
        (true, true) => ServingStatus::Serving,
        (true, false) => ServingStatus::NotServing,
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

// === impl Probes ===

#[tonic::async_trait]
impl Health for Probes {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match status(&request.get_ref().service, &self.readiness.state()) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no such service")),
            known => Ok(Response::new(response(known))),
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    /// Sends the state and every change of it. Ends when the drain begins, so that a client that watches does not
    /// hold it up.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let mut states = self.readiness.watch();
        states.mark_changed();
        let changes = stream::unfold((states, None, false), move |(mut states, last, ended)| {
            let name = name.clone();
            async move {
                if ended {
                    return None;
                }
                loop {
                    states.changed().await.ok()?;
                    let (now, draining) = {
                        let state = states.borrow_and_update();
                        (status(&name, &state), state.is_draining())
                    };
                    if last != Some(now) {
                        return Some((Ok(response(now)), (states, Some(now), draining)));
                    }
                    if draining {
                        return None;
                    }
                }
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}
