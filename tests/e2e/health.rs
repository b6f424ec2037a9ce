//! gRPC health: every name that a prober asks for, on both ports, by Check and by Watch.

use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::bookings::unreachable_engines;
use crate::support::picker::{Picker, channel, request_headers};
use crate::support::{Homing, within};

const PORTS: [&str; 2] = ["health", "grpc"];

/// Answer as readiness does.
const READINESS: [&str; 4] = ["", "readiness", "inference-extension", "envoy.service.ext_proc.v3.ExternalProcessor"];

/// Answers as long as the process does.
const LIVENESS: &str = "liveness";

#[tokio::test]
async fn every_name_is_served_on_both_ports_by_check_and_by_watch() {
    let homing = Homing::start(&[], None, &[]).await;
    for port in PORTS {
        let mut client = HealthClient::new(channel(homing.port(port)).await);
        for name in READINESS.into_iter().chain([LIVENESS]) {
            let told = "an empty pool is ready: it answers 503";
            assert_eq!(check(&mut client, name).await, Ok(ServingStatus::Serving), "{name:?} on {port}: {told}");
            let mut watched = watch(&mut client, name).await;
            assert_eq!(next(&mut watched).await, Some(ServingStatus::Serving), "{name:?} on {port}: {told}");
        }
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_not_found_by_check_and_unknown_to_watch() {
    let homing = Homing::start(&unreachable_engines(1), None, &[]).await;
    for port in PORTS {
        let mut client = HealthClient::new(channel(homing.port(port)).await);
        for name in ["nobody", "Readiness", "envoy.service.ext_proc.v3"] {
            assert_eq!(check(&mut client, name).await, Err(Code::NotFound), "{name:?} on {port}");
            let mut watched = watch(&mut client, name).await;
            assert_eq!(next(&mut watched).await, Some(ServingStatus::ServiceUnknown), "{name:?} on {port}");
        }
    }
}

#[tokio::test]
async fn whoever_watches_learns_of_the_drain_and_does_not_hold_it_up() {
    let mut homing = Homing::start(&unreachable_engines(1), None, &["--drain-window", "1h"]).await;
    let mut running = Picker::connect(homing.port("grpc")).await.open().await;
    running.send(request_headers(None, "GET", "/v1/models", true)).await;
    running.destination().await;
    let mut clients = Vec::new();
    for port in PORTS {
        let mut client = HealthClient::new(channel(homing.port(port)).await);
        let mut watched = Vec::new();
        for name in READINESS.into_iter().chain([LIVENESS, "nobody"]) {
            watched.push((name, watch(&mut client, name).await));
            let (_, stream) = watched.last_mut().expect("just pushed");
            assert!(next(stream).await.is_some());
        }
        clients.push((port, client, watched));
    }

    homing.terminate();
    for (port, client, watched) in &mut clients {
        for (name, stream) in watched {
            let change = READINESS.contains(name).then_some(ServingStatus::NotServing);
            if change.is_some() {
                assert_eq!(next(stream).await, change, "{name:?} on {port}");
            }
            assert_eq!(next(stream).await, None, "{name:?} on {port}: nothing changes any more");
        }
        for name in READINESS {
            assert_eq!(check(client, name).await, Ok(ServingStatus::NotServing), "{name:?} on {port}");
        }
        assert_eq!(check(client, LIVENESS).await, Ok(ServingStatus::Serving), "on {port}");
    }
    assert!(homing.is_running(), "a request is running");

    // The second signal ends the window, and with it all that would be waited for.
    homing.terminate();
    assert!(homing.ended().await.success());
}

async fn check(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Code> {
    let answer = within("an answer", client.check(ask(service))).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

async fn watch(client: &mut HealthClient<Channel>, service: &str) -> Streaming<HealthCheckResponse> {
    within("a stream", client.watch(ask(service))).await.expect("a stream").into_inner()
}

async fn next(watched: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    within("the next state", watched.message()).await.expect("the stream is whole").map(|answer| answer.status())
}

fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}
