//! `homing.v1alpha1.Inspect`, served on the admin port; `homing explain` is its client.
//!
//! [`service`] is the entry. Nothing here is on a request's way: decisions are followed by asking the log for numbers.

mod following;
mod last_read;
mod messages;

use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use self::following::{Filter, Following};
use super::sharing::{Sharing, label};
use crate::config::ConfigReader;
use crate::metrics::Direction;
use crate::pick::Picker;
use crate::proto::inspect::inspect_server::InspectServer;
use crate::proto::inspect::{
    ConfigRequest, ConfigResponse, DecisionsRequest, DecisionsResponse, EndpointsRequest, EndpointsResponse, Replica,
    ReplicasRequest, ReplicasResponse, Traffic, inspect_server,
};
use crate::state::Peer;

pub use last_read::LastRead;

/// Streams of decisions at once. Each costs a few kilobytes, and up to `SEND_BUFFER` of the port if it reads slowly.
const STREAMS: usize = 100;

/// The service; see [`service`].
#[derive(Debug)]
pub struct Inspect {
    picker: Arc<Picker>,
    config: ConfigReader,
    last_read: Arc<LastRead>,
    sharing: Option<Arc<Sharing>>,
    streams: Arc<Semaphore>,
}

/// The service, to be added to the admin port's routes.
pub fn service(
    picker: Arc<Picker>,
    config: ConfigReader,
    last_read: Arc<LastRead>,
    sharing: Option<Arc<Sharing>>,
) -> InspectServer<Inspect> {
    InspectServer::new(Inspect { picker, config, last_read, sharing, streams: Arc::new(Semaphore::new(STREAMS)) })
}

// === impl Inspect ===

#[tonic::async_trait]
impl inspect_server::Inspect for Inspect {
    type DecisionsStream = BoxStream<'static, Result<DecisionsResponse, Status>>;

    async fn decisions(&self, request: Request<DecisionsRequest>) -> Result<Response<Self::DecisionsStream>, Status> {
        let DecisionsRequest { limit, follow, endpoint, reason, request_id } = request.into_inner();
        let filter = Filter::new(endpoint, &reason, request_id)
            .ok_or_else(|| Status::invalid_argument(format!("there is no reason {:?}", reason.escape_debug())))?;
        let place = Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted(format!("{STREAMS} clients read decisions already")))?;
        let following = Following::new(Arc::clone(&self.picker), filter, limit, follow);
        let decisions = futures_util::stream::unfold((following, place), |(mut following, place)| async {
            following.next().await.map(|decision| (Ok(decision), (following, place)))
        });
        Ok(Response::new(decisions.boxed()))
    }

    async fn endpoints(&self, _: Request<EndpointsRequest>) -> Result<Response<EndpointsResponse>, Status> {
        let endpoints = self.picker.endpoints(Instant::now()).iter().map(Into::into).collect();
        Ok(Response::new(EndpointsResponse { endpoints }))
    }

    async fn replicas(&self, _: Request<ReplicasRequest>) -> Result<Response<ReplicasResponse>, Status> {
        let Some(sharing) = &self.sharing else { return Ok(Response::new(ReplicasResponse::default())) };
        let now = Instant::now();
        let replica = |peer: Peer| Replica {
            name: label(&peer),
            age_millis: u64::try_from(now.saturating_duration_since(peer.heard_at).as_millis()).unwrap_or(u64::MAX),
        };
        let replicas = sharing.replicas(now).into_iter().map(replica).collect();
        let metrics = &self.picker.metrics().sharing;
        let traffic = |direction| {
            Some(Traffic { messages: metrics.messages.of(direction).get(), bytes: metrics.bytes.of(direction).get() })
        };
        sharing.refresh_gauges(now);
        let [lag_p50_millis, lag_p99_millis] = sharing.lag().map_or([None; 2], |lag| lag.map(|it| Some(it * 1_000.0)));
        Ok(Response::new(ReplicasResponse {
            is_shared: true,
            state: sharing.state(now),
            replicas,
            sent: traffic(Direction::Sent),
            received: traffic(Direction::Received),
            dropped: metrics.dropped.get(),
            lag_p50_millis,
            lag_p99_millis,
        }))
    }

    async fn config(&self, _: Request<ConfigRequest>) -> Result<Response<ConfigResponse>, Status> {
        let document = serde_json::to_string_pretty(&**self.config.load())
            .map_err(|error| Status::internal(format!("the configuration cannot be written: {error}")))?;
        let error = self.last_read.error();
        Ok(Response::new(ConfigResponse {
            document,
            generation: self.config.generation(),
            source: self.last_read.source(),
            last_read_good: error.is_none(),
            last_error: error.unwrap_or_default(),
        }))
    }
}
