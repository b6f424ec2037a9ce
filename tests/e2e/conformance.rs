//! What the conformance suite of the Gateway API inference extension sends, through a real Envoy; `docs/conformance.md`
//! tells which of its tests each of these stands for. "Pods" are engines that answer as its echo server does, each at
//! an address of its own.

mod weighted;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Request, StatusCode};
use serde_json::json;

use crate::support::envoy::{Destination, Options};
use crate::support::prompts::with;
use crate::support::{Answer, Body, ClosedPort, Engine, Protocol, Reply, World, body, get, post};

const FLAG: &str = "--conformance-test-headers";
const SELECTION: &str = "test-epp-endpoint-selection";
const SERVED: &str = "x-conformance-test-served-endpoint";
const SELECTED: &str = "x-conformance-test-selected-endpoint";
const ECHO: &str = "x-echo-set-header";

/// What the suite sends: a model that nobody has, on a path that no API has.
const BODY: &str = r#"{
    "model": "conformance-fake-model",
    "prompt": "Write as if you were a critic: San Francisco"
}"#;

/// `count` pods with `ranks` ports each: `p1-rank-0` is the first of the first.
async fn pods(count: u8, ranks: usize) -> Vec<Engine> {
    let mut engines = Vec::new();
    for pod in 1..=count {
        for rank in 0..ranks {
            let engine = Engine::start_at(&format!("p{pod}-rank-{rank}"), (ip(pod), 0).into()).await;
            engine.answer(Answer::Echo);
            // It echoes whatever it is asked for, its metrics too.
            engine.say_metrics(r#"{"path": "/metrics", "method": "GET"}"#);
            engines.push(engine);
        }
    }
    engines
}

/// The address of pod `number`, from 1.
fn ip(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, 1 + number).into()
}

async fn world(engines: Vec<Engine>) -> World {
    World::builder(0).adopt(engines).flags(&[FLAG]).start().await
}

fn selecting(request: Request<Body>, selection: &str) -> Request<Body> {
    with(request, SELECTION, selection)
}

/// The suite's POST, pinned to `selection`.
fn pinned(path: &str, selection: &str) -> Request<Body> {
    selecting(post(path, body::full(BODY)), selection)
}

/// That the engine at `address` served, and that everybody says so.
#[track_caller]
fn assert_served(reply: &Reply, engine: &Engine) {
    assert_eq!((reply.status, reply.served_by()), (StatusCode::OK, engine.name()), "{reply:?}");
    let address = engine.address().to_string();
    for report in [SERVED, SELECTED] {
        let told: Vec<_> = reply.headers.get_all(report).iter().collect();
        assert_eq!(told, [address.as_str()], "{report}, once");
    }
}

/// Who serves 100 requests with this selection, ten at a time.
async fn crowd(world: &World, selection: &str) -> BTreeSet<String> {
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut connection = world.connect(Protocol::Http1).await;
        let selection = selection.to_owned();
        clients.push(tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            for _ in 0..10 {
                let reply = connection.exchange(pinned("/primary-gateway-test", &selection)).await.ok();
                seen.insert(reply.served_by().to_owned());
            }
            seen
        }));
    }
    let mut seen = BTreeSet::new();
    for client in clients {
        seen.extend(client.await.expect("all are answered"));
    }
    seen
}

#[tokio::test]
async fn gateway_destination_endpoint_served() {
    for (destination, mode) in [
        (Destination::Header, "FULL_DUPLEX_STREAMED"),
        (Destination::Metadata, "FULL_DUPLEX_STREAMED"),
        (Destination::Header, "BUFFERED"),
        (Destination::Header, "NONE"),
    ] {
        let envoy = Options { destination, body_modes: [mode, "FULL_DUPLEX_STREAMED"], ..Options::default() };
        let world = World::builder(0).adopt(pods(3, 1).await).flags(&[FLAG]).envoy(envoy).start().await;
        for (number, engine) in (1..).zip(&world.engines) {
            let request = pinned("/destination-endpoint-served-test", &ip(number).to_string());
            assert_served(&world.exchange(request).await, engine);
            let head = &engine.heads()[0];
            assert!(!head.contains_key(SELECTION), "what chooses the pod does not reach it: {head:?}");
        }
    }
}

#[tokio::test]
async fn who_served_is_by_the_gateways_word_where_a_retry_went_elsewhere() {
    let dead = ClosedPort::keep();
    let envoy = Options {
        destination: Destination::Metadata,
        retries: 2,
        filter: json!({"response_attributes": ["upstream.address"]}),
        ..Options::default()
    };
    let world = World::builder(0).adopt(pods(1, 1).await).endpoint("dead", dead.address());
    let world = world.flags(&[FLAG, "--max-endpoints", "2"]).envoy(envoy).start().await;
    let (alive, dead) = (world.engines[0].address().to_string(), dead.address().to_string());
    let mut went_elsewhere = 0;
    for number in 0..40 {
        let request = pinned("/any", &format!("{alive},{dead}"));
        let reply = world.exchange(with(request, "x-session-id", &format!("session-{number}"))).await.ok();
        let told: Vec<_> = reply.headers.get_all(SERVED).iter().collect();
        assert_eq!(told, [alive.as_str()]);
        assert_eq!(reply.served_by(), "p1-rank-0");
        if reply.header(SELECTED) == dead {
            went_elsewhere += 1;
        } else {
            assert_eq!(reply.header(SELECTED), alive);
        }
    }
    assert!(went_elsewhere > 0, "the one that refuses was never picked: nothing was shown");
}

#[tokio::test]
async fn gateway_following_epp_routing() {
    let world = world(pods(3, 1).await).await;
    for chosen in [&[1][..], &[2, 3], &[1, 2, 3]] {
        let selection: Vec<String> = chosen.iter().map(|number| ip(*number).to_string()).collect();
        let seen = crowd(&world, &selection.join(",")).await;
        let allowed: BTreeSet<String> = chosen.iter().map(|number| format!("p{number}-rank-0")).collect();
        assert!(seen.is_subset(&allowed), "{seen:?} of {allowed:?}");
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn gateway_following_epp_routing_with_data_parallelism() {
    let world = world(pods(3, 3).await).await;
    let rank = |pod: usize, rank: usize| world.engines[3 * (pod - 1) + rank].address().to_string();
    let [one, two, three] = [1, 2, 3].map(|number| ip(number).to_string());
    let whole = |pod: u8| (0..3).map(move |rank| format!("p{pod}-rank-{rank}")).collect::<Vec<_>>();
    for (selection, allowed) in [
        (vec![two.clone()], whole(2)),
        (vec![one.clone(), rank(3, 1)], [whole(1), vec!["p3-rank-1".to_owned()]].concat()),
        (vec![rank(3, 1)], vec!["p3-rank-1".to_owned()]),
        (
            vec![one, rank(2, 0), rank(2, 2), three],
            [whole(1), vec!["p2-rank-0".to_owned(), "p2-rank-2".to_owned()], whole(3)].concat(),
        ),
    ] {
        let selection = selection.join(",");
        let seen = crowd(&world, &selection).await;
        assert!(seen.is_subset(&allowed.into_iter().collect()), "{seen:?} by {selection}");
    }
}

#[tokio::test]
async fn inference_pool_app_protocol() {
    let world = world(pods(3, 1).await).await;
    // Envoy asks the engine in the protocol of the client: HTTP/1, and HTTP/2 without TLS.
    for protocol in Protocol::BOTH {
        for engine in &world.engines {
            let request = pinned("/inferencepool-app-protocol", &engine.address().to_string());
            assert_served(&world.connect(protocol).await.exchange(request).await, engine);
        }
    }
}

#[tokio::test]
async fn epp_unavailable_fail_open_while_the_picker_is_there() {
    let world = world(pods(3, 1).await).await;
    let reply = world.exchange(pinned("/failopen-pool-test", &ip(1).to_string())).await;
    assert_served(&reply, &world.engines[0]);
}

/// `InferencePoolResolvedRefsCondition`, `InferencePoolHTTPRoutePortValidation`, and the two with different pools.
#[tokio::test]
async fn gets_without_a_body_of_the_tests_that_look_at_conditions() {
    let world = world(pods(3, 1).await).await;
    for path in ["/primary-gateway-test", "/test-multiple-ports", "/", "/secondary"] {
        let reply = world.exchange(get(path)).await.ok();
        assert_eq!(reply.header(SERVED), world.engine(reply.served_by()).address().to_string());
        let reply = world.exchange(selecting(get(path), &ip(2).to_string())).await;
        assert_served(&reply, &world.engines[1]);
    }
}

#[tokio::test]
async fn a_selection_of_no_pod_of_the_pool_is_a_503_with_and_without_a_body() {
    let mut engines = pods(2, 1).await;
    let stranger = engines.pop().expect("two");
    let address = engines[0].address();
    let other_rank = SocketAddr::new(address.ip(), address.port() ^ 1);
    let world = world(engines).await;
    for selection in [stranger.address().to_string(), ip(9).to_string(), other_rank.to_string(), "nobody".to_owned()] {
        for protocol in Protocol::BOTH {
            for request in [pinned("/weighted-two-pools-test", &selection), selecting(get("/"), &selection)] {
                let reply = world.connect(protocol).await.exchange(request).await;
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{selection}: {reply:?}");
                assert_eq!(reply.header("x-llm-d-request-dropped-reason"), "rejected-no-endpoints");
            }
        }
    }
    assert!(world.engines[0].heads().is_empty() && stranger.heads().is_empty());
    let union = [ip(1), ip(2), ip(9)].map(|ip| ip.to_string()).join(", ");
    assert_served(&world.exchange(pinned("/weighted-two-pools-test", &union)).await, &world.engines[0]);
}

#[tokio::test]
async fn a_selection_wins_over_the_gateways_subset() {
    let engines = pods(2, 1).await;
    let hint = json!([engines[0].address().to_string()]);
    let envoy = Options { subset: Some(hint), ..Options::default() };
    let world = World::builder(0).adopt(engines).flags(&[FLAG]).envoy(envoy).start().await;
    assert_served(&world.exchange(pinned("/any", &ip(2).to_string())).await, &world.engines[1]);
    for request in [post("/any", body::full(BODY)), get("/any")] {
        assert_served(&world.exchange(request).await, &world.engines[0]);
    }
}

#[tokio::test]
async fn a_gateway_that_shows_no_response_reports_by_the_echo_server() {
    let mode = json!({
        "request_header_mode": "SEND", "response_header_mode": "SKIP", "request_body_mode": "FULL_DUPLEX_STREAMED",
        "response_body_mode": "NONE", "request_trailer_mode": "SEND", "response_trailer_mode": "SKIP",
    });
    let envoy = Options { filter: json!({"processing_mode": mode}), ..Options::default() };
    let world = World::builder(0).adopt(pods(2, 1).await).flags(&[FLAG]).envoy(envoy).start().await;
    for (number, engine) in (1..).zip(&world.engines) {
        let reply = world.exchange(pinned("/destination-endpoint-served-test", &ip(number).to_string())).await.ok();
        assert_eq!((reply.served_by(), reply.header(SERVED)), (engine.name(), &*engine.address().to_string()));
        assert!(!reply.headers.contains_key(SELECTED), "Homing saw no response");
    }
}

#[tokio::test]
async fn without_the_flag_the_suites_headers_mean_nothing() {
    let world = World::builder(0).adopt(pods(2, 1).await).start().await;
    let mut seen = BTreeSet::new();
    for number in 0..40 {
        let request = with(pinned("/any", &ip(9).to_string()), "x-session-id", &format!("session-{number}"));
        let reply = world.exchange(request).await.ok();
        assert!(!reply.headers.contains_key(SERVED) && !reply.headers.contains_key(SELECTED), "{reply:?}");
        seen.insert(reply.served_by().to_owned());
    }
    assert_eq!(seen.len(), 2, "nobody is chosen");
    let heads = world.engines.iter().flat_map(Engine::heads);
    assert!(heads.into_iter().all(|head| head.contains_key(SELECTION) && !head.contains_key(ECHO)), "it is any header");
    assert!(!world.homing.log().contains(FLAG));
}
