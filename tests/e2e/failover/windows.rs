//! Measures, and asserts nothing: what a replica that goes away costs under each of Envoy's settings.
//!
//!     cargo test --test e2e windows:: -- --ignored --nocapture
//!
//! `HOMING_ROW` measures only the settings whose name contains it. The tables of docs/availability.md are what it prints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::{Load, Outcome};
use super::pair::Pair;
use super::shipped::shipped;
use crate::support::envoy::{Envoy, Options};
use crate::support::prompts::chat_of_size;
use crate::support::{Answer, Engine, Homing, Protocol, Reply, body, eventually, post};

/// How the first of two replicas goes away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// SIGKILL under load.
    Killed,
    /// The same right after the other replica has come back from it.
    KilledNext,
    /// SIGKILL while nothing is under way; the load begins right after it.
    KilledIdle,
    /// SIGSTOP under load: its sockets stay open and nobody answers.
    Frozen,
    /// SIGTERM under load.
    Terminated,
}

impl End {
    const ALL: [Self; 5] = [Self::Killed, Self::KilledNext, Self::KilledIdle, Self::Frozen, Self::Terminated];

    /// How long the load goes on: for longer than Homing's drain window, where there is one.
    fn watched(self) -> Duration {
        Duration::from_secs(if self == Self::Terminated { 8 } else { 4 })
    }
}

/// Rows of the table: a name, fields of the pickers' cluster, fields of the filter.
fn settings() -> Vec<(&'static str, Value, Value)> {
    let grpc = |interval: &str| {
        json!({"health_checks": [{
            "interval": interval, "no_traffic_interval": interval, "timeout": "1s",
            "unhealthy_threshold": 1, "healthy_threshold": 1,
            "grpc_health_check": {"service_name": "envoy.service.ext_proc.v3.ExternalProcessor"},
        }]})
    };
    let tcp = json!({"health_checks": [{
        "interval": "0.25s", "no_traffic_interval": "0.25s", "timeout": "1s",
        "unhealthy_threshold": 1, "healthy_threshold": 1, "tcp_health_check": {},
    }]});
    let outlier = |ejection: &str| {
        let shipped = &shipped().picker_cluster["outlier_detection"];
        let mut outlier = shipped.clone();
        outlier["base_ejection_time"] = json!(ejection);
        // How often it is looked who may come back; the default is 10 s.
        outlier["interval"] = json!("1s");
        json!({"outlier_detection": outlier})
    };
    let shipped = shipped().picker_cluster;
    let mut merging = shipped.clone();
    merging["common_lb_config"]["update_merge_window"] = json!("1s");
    let round_robin = json!({"lb_policy": "ROUND_ROBIN"});
    let none = Value::Null;
    let fail_open = json!({"failure_mode_allow": true});
    vec![
        ("nothing", json!({}), none.clone()),
        ("nothing, ROUND_ROBIN", round_robin, none.clone()),
        ("TCP check, 0.25 s", tcp, none.clone()),
        ("gRPC check, 1 s", grpc("1s"), none.clone()),
        ("gRPC check, 1 s, failure_mode_allow", grpc("1s"), fail_open),
        ("gRPC check, 0.25 s", grpc("0.25s"), none.clone()),
        ("outlier detection, back after 1 s", outlier("1s"), none.clone()),
        ("outlier detection, back after 30 s", outlier("30s"), none.clone()),
        ("retries of the gRPC call", json!({}), retries("connect-failure")),
        ("as shipped", shipped.clone(), none.clone()),
        ("as shipped, update_merge_window 1 s", merging, none.clone()),
        ("as shipped, and retries", shipped, retries("connect-failure,refused-stream")),
    ]
}

/// A filter that tries its call again at another picker.
fn retries(on: &str) -> Value {
    let other = "envoy.retry_host_predicates.previous_hosts";
    json!({"grpc_service": {"envoy_grpc": {"cluster_name": "picker"}, "timeout": "10s", "retry_policy": {
        "num_retries": 3, "retry_on": on, "host_selection_retry_max_attempts": 5,
        "retry_host_predicate": [{"name": other, "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        }}],
    }}})
}

/// What all rows have in common, and the examples too.
fn cluster(over: &Value) -> Value {
    let most = 40_000;
    let mut cluster = json!({
        "lb_policy": "LEAST_REQUEST", "connect_timeout": "1s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        // Retries need room of their own: the default is 3 at once.
        "circuit_breakers": {"thresholds": [{
            "max_connections": most, "max_pending_requests": most, "max_requests": most, "max_retries": most,
        }]},
    });
    for (name, value) in over.as_object().into_iter().flatten().filter(|(name, _)| *name != "circuit_breakers") {
        cluster[name] = value.clone();
    }
    cluster
}

#[tokio::test]
#[ignore = "measures for minutes, and asserts nothing"]
async fn what_a_replica_that_goes_away_costs() {
    let only = std::env::var("HOMING_ROW").unwrap_or_default();
    println!("failed of those under way + of those sent later (the last, in ms after the end) of all sent later");
    for end in End::ALL {
        for (name, over, filter) in settings() {
            if !name.contains(&only) || end == End::KilledNext && !name.starts_with("as shipped") {
                continue;
            }
            let options = Options { picker_cluster: cluster(&over), filter, ..Options::default() };
            println!("{:12} | {name:36} | {}", format!("{end:?}"), measure(&options, end).await);
        }
    }
}

async fn measure(options: &Options, end: End) -> String {
    let mut pair = Pair::start(options).await;
    let mut load = Load::start(pair.address());
    load.flows(200).await;
    if end == End::KilledNext {
        pair.replicas[1].kill();
        load.flows(100).await;
        pair.replace(1).await;
        let back = pair.envoy.pickers().await[1].sent;
        eventually("it is asked again", async || (pair.envoy.pickers().await[1].sent > back).then_some(())).await;
        let outcomes = load.ends().await;
        drop(outcomes);
        load = Load::start(pair.address());
        load.flows(20).await;
    }
    if end == End::KilledIdle {
        load.ends().await;
        pair.replicas[0].kill();
        load = Load::start(pair.address());
    }
    let (mark, at) = (load.next(), Instant::now());
    match end {
        End::Killed | End::KilledNext => pair.replicas[0].kill(),
        End::KilledIdle => {}
        End::Frozen => pair.replicas[0].freeze(),
        End::Terminated => pair.replicas[0].terminate(),
    }
    tokio::time::sleep(end.watched()).await;
    let outcomes = load.ends().await;
    let failed = |outcomes: &BTreeMap<usize, Outcome>, from: usize, to: usize| -> Vec<Outcome> {
        outcomes.range(from..to).map(|(_, outcome)| *outcome).filter(|outcome| !outcome.is_good()).collect()
    };
    let (flying, later) = (failed(&outcomes, 0, mark), failed(&outcomes, mark, usize::MAX));
    let last = later.last().map_or(0, |outcome| outcome.began.duration_since(at).as_millis());
    let mut how = BTreeMap::<_, usize>::new();
    for outcome in flying.iter().chain(&later) {
        *how.entry(outcome.status.map_or(0, |status| status.as_u16())).or_default() += 1;
    }
    format!("{} + {} ({last} ms) of {} {how:?}", flying.len(), later.len(), outcomes.range(mark..).count())
}

#[tokio::test]
#[ignore = "measures, and asserts nothing; HOMING_ENVOY names another Envoy"]
async fn what_retries_of_the_call_do_to_long_bodies() {
    let engine = Engine::start("r1").await;
    engine.answer(Answer::Digest);
    let homing = Homing::start(&[engine.entry()], Some("engineMetrics: {enabled: false}"), &[]).await;
    let (silent, _held) = silent_port().await;
    for (name, filter) in [("none", Value::Null), ("retries", retries("connect-failure"))] {
        for size in [1_000, 60_000, 200_000, 1_000_000] {
            let over = json!({"lb_policy": "ROUND_ROBIN", "connect_timeout": "0.5s"});
            let options = Options { picker_cluster: cluster(&over), filter: filter.clone(), ..Options::default() };
            let envoy = Envoy::start_with(&options, &[silent, homing.port("grpc")], &[]).await;
            let mut seen = Vec::new();
            for _ in 0..4 {
                let request = post("/v1/chat/completions", body::full(chat_of_size(size)));
                let mut connection = envoy.connect(Protocol::Http1).await;
                let reply = Reply::read(connection.send(request).await.expect("an answer")).await.expect("a whole one");
                seen.push(match reply.status.as_u16() {
                    200 if reply.json()["length"] == size => "whole".to_owned(),
                    200 => format!("200, with {} bytes of it", reply.json()["length"]),
                    status => status.to_string(),
                });
            }
            println!("{name:8} | {size:8} bytes | {}", seen.join(" | "));
        }
    }
}

/// An address that neither accepts nor refuses: its queue is full.
async fn silent_port() -> (std::net::SocketAddr, (tokio::net::TcpListener, Vec<tokio::net::TcpStream>)) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("a bound socket has an address");
    let mut held = Vec::new();
    let connect = || tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address));
    while let Ok(Ok(stream)) = connect().await {
        held.push(stream);
    }
    (address, (listener, held))
}
