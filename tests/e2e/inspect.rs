//! Looking into a running picker over gRPC: `homing.v1alpha1.Inspect` on the admin port.

use homing::proto::inspect::inspect_client::InspectClient;
use homing::proto::inspect::{ConfigRequest, ConfigResponse, DecisionsRequest, DecisionsResponse, EndpointsRequest};
use serde_json::Value;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use crate::bookings::unreachable_engines;
use crate::support::files::config_document;
use crate::support::picker::{Picker, channel};
use crate::support::{Connection, Homing, Protocol, World, eventually, get, prompt, within};

#[tokio::test]
async fn decisions_over_grpc_are_those_of_the_page_oldest_first() {
    let world = World::of(2).await;
    for n in 0..5 {
        world.chat(Some("somebody"), &prompt("story", 8_000), &n.to_string()).await.ok();
    }
    let mut client = inspect(&world.homing).await;
    let mut told = decisions(&mut client, DecisionsRequest { limit: 3, ..DecisionsRequest::default() }).await;
    let page = world.homing.decisions(3).await;
    for (number, expected) in (2..).zip(page.into_iter().rev()) {
        let answer = next(&mut told).await.expect("three decisions");
        assert_eq!((answer.number, answer.missed), (number, 0));
        let decision = answer.decision.expect("a decision");
        assert_eq!(serde_json::to_value(decision).expect("JSON"), expected.document);
    }
    assert!(next(&mut told).await.is_none(), "the stream ends unless it is to follow");
}

#[tokio::test]
async fn endpoints_are_told_with_their_loads() {
    let homing = Homing::start(&unreachable_engines(3), None, &[]).await;
    let picker = Picker::connect(homing.port("grpc")).await;
    let mut stream = picker.open().await;
    stream.send(crate::support::picker::request_headers(None, "GET", "/v1/models", true)).await;
    let destination = stream.destination().await;
    let answer = inspect(&homing).await.endpoints(EndpointsRequest {}).await.expect("an answer").into_inner();
    let loads: Vec<(&str, u32)> = answer.endpoints.iter().map(|it| (&*it.name, it.in_flight)).collect();
    let busy = answer.endpoints.iter().find(|endpoint| endpoint.address == destination).expect("the picked one");
    let expected = ["r1", "r2", "r3"].map(|name| (name, u32::from(name == busy.name)));
    assert_eq!(loads, expected);
}

#[tokio::test]
async fn the_configuration_in_force_is_told_with_its_generation_and_whether_the_last_read_was_good() {
    let homing = Homing::start(&unreachable_engines(1), Some("limits: {bodyWait: 7s}"), &[]).await;
    let mut client = inspect(&homing).await;
    let first = config(&mut client).await;
    assert_eq!((first.generation, first.last_read_good, &*first.last_error), (1, true, ""));
    assert!(first.source.ends_with("config.yaml"), "{}", first.source);

    homing.write_config(&config_document("limits: {bodyWiat: 8s}"));
    let bad = eventually("the bad edit is noticed", async || {
        Some(config(&mut client).await).filter(|config| !config.last_read_good)
    })
    .await;
    assert!(bad.last_error.contains("limits.bodyWiat"), "{}", bad.last_error);
    assert_eq!((bad.generation, &bad.document), (1, &first.document), "what was good before is in force");

    homing.set_config("limits: {bodyWait: 8s}");
    let good = eventually("the good edit is in force", async || {
        Some(config(&mut client).await).filter(|config| config.generation == 2)
    })
    .await;
    assert_eq!((good.last_read_good, &*good.last_error), (true, ""));
    let document: Value = serde_json::from_str(&good.document).expect("JSON");
    assert_eq!(document["limits"]["bodyWait"], "8s");
    let parsed = homing::config::parse(&good.document).expect("a document that can be used again");
    assert_eq!(parsed.config.limits.body_wait.as_secs(), 8);
}

#[tokio::test]
async fn pages_and_grpc_share_the_admin_port_over_both_versions_of_http() {
    let homing = Homing::start(&unreachable_engines(1), None, &[]).await;
    let _grpc = inspect(&homing).await;
    for protocol in Protocol::BOTH {
        let mut connection = Connection::open(homing.port("admin"), protocol).await.expect("the port accepts");
        let page = connection.exchange(get("/endpoints")).await.ok();
        assert_eq!(page.json()[0]["name"], "r1", "{protocol:?}");
        assert_eq!(connection.exchange(get("/nowhere")).await.status, 404, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_client_that_follows_and_does_not_read_misses_decisions_and_is_told_how_many() {
    const DECISIONS: u64 = 2_500;
    let homing = Homing::start(&unreachable_engines(3), None, &[]).await;
    // A window of few decisions: what it does not read stays where it is made.
    let admin = Endpoint::from_shared(format!("http://{}", homing.port("admin"))).expect("a valid address");
    let channel = admin.initial_stream_window_size(4 << 10).connect().await.expect("the port accepts");
    let all = DecisionsRequest { follow: true, ..DecisionsRequest::default() };
    let mut slow = decisions(&mut InspectClient::new(channel), all).await;
    let picker = Picker::connect(homing.port("grpc")).await;
    for n in 0..DECISIONS {
        picker.place(&n.to_string()).await;
    }
    let (mut seen, mut missed, mut last) = (0, 0, None);
    while last != Some(DECISIONS - 1) {
        let answer = next(&mut slow).await.expect("the stream goes on");
        assert!(last.is_none_or(|last| answer.number == last + answer.missed + 1), "{last:?}: {answer:?}");
        (seen, missed, last) = (seen + 1, missed + answer.missed, Some(answer.number));
    }
    assert_eq!(seen + missed, DECISIONS);
    assert!(missed > 0, "the picker does not keep {DECISIONS} decisions for anybody");
}

#[tokio::test]
async fn clients_that_follow_do_not_hold_up_a_drain() {
    let mut homing = Homing::start(&unreachable_engines(1), None, &["--drain-window", "0s"]).await;
    let mut followed =
        decisions(&mut inspect(&homing).await, DecisionsRequest { follow: true, ..DecisionsRequest::default() }).await;
    Picker::connect(homing.port("grpc")).await.place("somebody").await;
    assert!(next(&mut followed).await.is_some());
    homing.terminate();
    assert_eq!(homing.ended().await.code(), Some(0));
    assert!(within("the end of the stream", followed.message()).await.is_err(), "cut, for nobody waited");
}

/// A client of the admin port.
pub async fn inspect(homing: &Homing) -> InspectClient<Channel> {
    InspectClient::new(channel(homing.port("admin")).await)
}

/// The decisions that it asks for.
pub async fn decisions(client: &mut InspectClient<Channel>, request: DecisionsRequest) -> Streaming<DecisionsResponse> {
    within("a stream of decisions", client.decisions(request)).await.expect("a stream").into_inner()
}

async fn next(decisions: &mut Streaming<DecisionsResponse>) -> Option<DecisionsResponse> {
    within("the next decision", decisions.message()).await.expect("the stream is whole")
}

async fn config(client: &mut InspectClient<Channel>) -> ConfigResponse {
    client.config(ConfigRequest {}).await.expect("an answer").into_inner()
}
