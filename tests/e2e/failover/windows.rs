//! Measures, and asserts nothing: what a killed replica costs under each of Envoy's settings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::{Load, Outcome};
use crate::support::envoy::{Envoy, Host, Options};
use crate::support::{Answer, Engine, Homing, eventually};

/// How a replica goes away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Killed,
    Frozen,
    Terminated,
}

fn cells() -> Vec<(&'static str, Value, Value)> {
    let hc = |interval: &str, timeout: &str, threshold: u32| {
        json!([{"interval": interval, "no_traffic_interval": interval, "timeout": timeout,
            "unhealthy_threshold": threshold, "healthy_threshold": 1, "unhealthy_interval": interval,
            "grpc_health_check": {"service_name": "envoy.service.ext_proc.v3.ExternalProcessor"}}])
    };
    let tcp = json!([{"interval": "0.25s", "no_traffic_interval": "0.25s", "timeout": "0.25s",
            "unhealthy_threshold": 1, "healthy_threshold": 1, "tcp_health_check": {}}]);
    let outlier = |ejection: &str| {
        json!({"split_external_local_origin_errors": true, "consecutive_local_origin_failure": 1,
            "consecutive_gateway_failure": 0, "enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "1s", "base_ejection_time": ejection, "max_ejection_percent": 50})
    };
    let outlier_gateway = json!({"consecutive_gateway_failure": 1, "enforcing_consecutive_gateway_failure": 100,
            "enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0,
            "interval": "1s", "base_ejection_time": "5s", "max_ejection_percent": 50});
    let panic = json!({"healthy_panic_threshold": {"value": 0}});
    let base = |over: Value| {
        let mut cluster = json!({"lb_policy": "LEAST_REQUEST", "connect_timeout": "1s", "common_lb_config": panic});
        for (name, value) in over.as_object().into_iter().flatten() {
            cluster[name] = value.clone();
        }
        cluster
    };
    let retry = |on: &str, hosts: bool| {
        let mut policy = json!({"num_retries": 3, "retry_on": on});
        if hosts {
            policy["retry_host_predicate"] = json!([{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config":
                {"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}]);
            policy["host_selection_retry_max_attempts"] = json!(5);
        }
        json!({"grpc_service": {"envoy_grpc": {"cluster_name": "picker"}, "timeout": "10s", "retry_policy": policy}})
    };
    let all = "connect-failure,refused-stream,reset,unavailable,cancelled,internal,5xx,gateway-error";
    let nothing = Value::Null;
    vec![
        ("nothing", base(nothing.clone()), nothing.clone()),
        ("nothing, round robin", base(json!({"lb_policy": "ROUND_ROBIN"})), nothing.clone()),
        ("tcp 0.25 s", base(json!({"health_checks": tcp})), nothing.clone()),
        ("grpc 1 s (as shipped)", base(json!({"health_checks": hc("1s", "1s", 1)})), nothing.clone()),
        (
            "grpc 1 s, round robin",
            base(json!({"health_checks": hc("1s", "1s", 1), "lb_policy": "ROUND_ROBIN"})),
            nothing.clone(),
        ),
        ("grpc 0.25 s", base(json!({"health_checks": hc("0.25s", "1s", 1)})), nothing.clone()),
        ("grpc 0.1 s", base(json!({"health_checks": hc("0.1s", "1s", 1)})), nothing.clone()),
        ("outlier 1 local failure, 5 s", base(json!({"outlier_detection": outlier("5s")})), nothing.clone()),
        ("outlier 1 gateway failure, not split", base(json!({"outlier_detection": outlier_gateway})), nothing.clone()),
        (
            "grpc 1 s + outlier",
            base(json!({"health_checks": hc("1s", "1s", 1), "outlier_detection": outlier("5s")})),
            nothing.clone(),
        ),
        (
            "grpc 0.25 s + outlier",
            base(json!({"health_checks": hc("0.25s", "1s", 1), "outlier_detection": outlier("5s")})),
            nothing.clone(),
        ),
        ("retry only", base(nothing.clone()), retry(all, false)),
        ("retry only, other hosts", base(nothing.clone()), retry(all, true)),
        (
            "retry + grpc 1 s + outlier",
            base(json!({"health_checks": hc("1s", "1s", 1), "outlier_detection": outlier("5s")})),
            retry(all, true),
        ),
        (
            "retry + grpc 1 s + outlier, round robin",
            base(
                json!({"lb_policy": "ROUND_ROBIN", "health_checks": hc("1s", "1s", 1), "outlier_detection": outlier("5s")}),
            ),
            retry(all, true),
        ),
        (
            "failure_mode_allow + grpc 1 s",
            base(json!({"health_checks": hc("1s", "1s", 1)})),
            json!({"failure_mode_allow": true}),
        ),
        (
            "preconnect + grpc 1 s",
            base(
                json!({"health_checks": hc("1s", "1s", 1), "preconnect_policy": {"per_upstream_preconnect_ratio": 1.5}}),
            ),
            nothing.clone(),
        ),
        (
            "close on hc failure + grpc 1 s",
            base(json!({"health_checks": hc("1s", "1s", 1), "close_connections_on_host_health_failure": true})),
            nothing.clone(),
        ),
    ]
}

#[tokio::test]
#[ignore = "measures for minutes, and asserts nothing: `cargo test --test e2e windows:: -- --ignored --nocapture`"]
async fn windows_of_a_killed_replica() {
    let only = std::env::var("HOMING_WINDOW").unwrap_or_default();
    let end = match std::env::var("HOMING_END").as_deref() {
        Ok("frozen") => End::Frozen,
        Ok("terminated") => End::Terminated,
        _ => End::Killed,
    };
    println!(
        "{end:?}; failed in flight | failed of those sent later | last of them ms after | sent later, all | hosts"
    );
    for (name, cluster, filter) in cells() {
        if name.contains(&only) {
            measure(name, cluster, filter, end).await;
        }
    }
}

async fn measure(name: &str, picker_cluster: Value, filter: Value, end: End) {
    let mut engines = Vec::new();
    for number in 1..=3 {
        let engine = Engine::start(&format!("r{number}")).await;
        engine.answer(Answer::After(Duration::from_millis(40)));
        engines.push(engine);
    }
    let entries: Vec<_> = engines.iter().map(Engine::entry).collect();
    let mut first = Homing::start(&entries, Some("engineMetrics: {enabled: false}"), &[]).await;
    let second = Homing::start(&entries, Some("engineMetrics: {enabled: false}"), &[]).await;
    let options = Options { picker_cluster, filter, ..Options::default() };
    let pickers = [first.port("grpc"), second.port("grpc")];
    let envoy = Envoy::start_with(&options, &pickers, &[]).await;
    eventually("both are healthy", async || envoy.pickers().await.iter().all(|host| host.healthy).then_some(())).await;

    let load = Load::start(envoy.address());
    load.flows(200).await;
    let (kill, at) = (load.next(), Instant::now());
    match end {
        End::Killed => first.kill(),
        End::Frozen => first.freeze(),
        End::Terminated => first.terminate(),
    }
    let mut gone_after = None;
    while at.elapsed() < Duration::from_secs(if end == End::Terminated { 9 } else { 4 }) {
        let hosts = envoy.pickers().await;
        if gone_after.is_none() && !hosts[0].healthy {
            gone_after = Some(at.elapsed().as_millis());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hosts: Vec<Host> = envoy.pickers().await;
    let outcomes = load.ends().await;
    let failed = |outcomes: &BTreeMap<usize, Outcome>, from: usize, to: usize| -> Vec<Outcome> {
        let range = outcomes.range(from..to).map(|(_, it)| *it);
        range.filter(|it| it.status.is_none_or(|status| status != 200)).collect()
    };
    let (flying, later) = (failed(&outcomes, 0, kill), failed(&outcomes, kill, usize::MAX));
    let last = later.last().map_or(0, |it| it.began.duration_since(at).as_millis());
    let total = outcomes.range(kill..).count();
    let statuses: BTreeMap<String, usize> = flying.iter().chain(&later).fold(BTreeMap::new(), |mut map, it| {
        *map.entry(it.status.map_or("cut".to_owned(), |it| it.as_u16().to_string())).or_default() += 1;
        map
    });
    println!(
        "{name:42} | {:3} | {:4} | {last:5} | {total:4} | out after {gone_after:?} {statuses:?} sent {:?} failed {:?}",
        flying.len(),
        later.len(),
        hosts.iter().map(|h| h.sent).collect::<Vec<_>>(),
        hosts.iter().map(|h| h.failed).collect::<Vec<_>>()
    );
}
