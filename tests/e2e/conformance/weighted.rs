//! One route to two pools by weight, each with a picker of its own, as gateways program it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{FLAG, SELECTED, ip, pinned, pods};
use crate::support::envoy::{Envoy, Options};
use crate::support::{Engine, Homing, Protocol, eventually};

const PATH: &str = "/weighted-two-pools-test";
const TYPES: &str = "type.googleapis.com/envoy";

/// A pool: its engines and its picker.
struct Pool {
    name: &'static str,
    weight: u32,
    engines: Vec<Engine>,
    homing: Homing,
}

/// `GatewayWeightedAcrossTwoInferencePools`: 70 to 30, 200 requests that select the pods of both pools.
#[tokio::test]
async fn gateway_weighted_across_two_inference_pools() {
    let mut all = pods(6, 1).await;
    let second = all.split_off(3);
    let pools = [Pool::start("primary", 70, all).await, Pool::start("secondary", 30, second).await];
    let gateway = Options { document: Some(bootstrap(&pools)), ..Options::default() };
    let envoy = Envoy::start_with(&gateway, &[], &[]).await;

    let mut connection = envoy.connect(Protocol::Http1).await;
    for (number, engine) in (1..).zip(pools.iter().flat_map(|pool| &pool.engines)) {
        let selection = ip(number).to_string();
        eventually(&format!("{} answers through the weighted route", engine.name()), async || {
            let reply = connection.exchange(pinned(PATH, &selection)).await;
            // The other pool has no such pod: its picker refuses at once, and no other status is tried again.
            assert!([200, 503].contains(&reply.status.as_u16()), "{reply:?}");
            (reply.status == 200).then(|| assert_eq!(reply.served_by(), engine.name()))
        })
        .await;
    }

    let union = (1..=6).map(|number| ip(number).to_string()).collect::<Vec<_>>().join(",");
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut connection = envoy.connect(Protocol::Http1).await;
        let union = union.clone();
        clients.push(tokio::spawn(async move {
            let mut served = Vec::new();
            for _ in 0..40 {
                let reply = connection.exchange(pinned(PATH, &union)).await.ok();
                served.push((reply.served_by().to_owned(), reply.header(SELECTED).to_owned()));
            }
            served
        }));
    }
    let addresses: BTreeMap<String, String> = (pools.iter().flat_map(|pool| &pool.engines))
        .map(|engine| (engine.name().to_owned(), engine.address().to_string()))
        .collect();
    let mut primary = 0;
    for client in clients {
        for (name, selected) in client.await.expect("all are answered") {
            // The pool whose picker was asked is the one that serves: the other's cluster would not know the pod.
            assert_eq!(addresses[&name], selected, "the pod that was picked answered");
            primary += usize::from(pools[0].engines.iter().any(|engine| engine.name() == name));
        }
    }
    // The suite's own bounds: 4.5 sigma.
    assert!((111..=169).contains(&primary), "{primary} of 200 for a weight of 70 %");
}

impl Pool {
    async fn start(name: &'static str, weight: u32, engines: Vec<Engine>) -> Self {
        let entries: Vec<_> = engines.iter().map(Engine::entry).collect();
        let homing = Homing::start(&entries, None, &[FLAG]).await;
        Self { name, weight, engines, homing }
    }

    fn weighted(&self) -> Value {
        let service = json!({"envoy_grpc": {"cluster_name": format!("{}-picker", self.name)}});
        json!({"name": self.name, "weight": self.weight, "typed_per_filter_config": {"envoy.filters.http.ext_proc": {
            "@type": format!("{TYPES}.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"),
            "overrides": {"grpc_service": service},
        }}})
    }

    fn clusters(&self) -> [Value; 2] {
        let engines: Vec<SocketAddr> = self.engines.iter().map(Engine::address).collect();
        let http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let http2 = json!({http: {
            "@type": format!("type.googleapis.com/{http}"),
            "explicit_http_config": {"http2_protocol_options": {}},
        }});
        let policies = format!("{TYPES}.extensions.load_balancing_policies");
        let override_host = json!({"policies": [{"typed_extension_config": {
            "name": "override_host",
            "typed_config": {
                "@type": format!("{policies}.override_host.v3.OverrideHost"),
                "override_host_sources": [
                    {"metadata": {"key": "envoy.lb", "path": [{"key": "x-gateway-destination-endpoint"}]}},
                ],
                "fallback_policy": {"policies": [{"typed_extension_config": {
                    "name": "round_robin",
                    "typed_config": {"@type": format!("{policies}.round_robin.v3.RoundRobin")},
                }}]},
            },
        }}]});
        let picker = format!("{}-picker", self.name);
        [
            json!({"name": picker, "type": "STATIC", "typed_extension_protocol_options": http2,
                "load_assignment": assignment(&picker, &[self.homing.port("grpc")])}),
            json!({"name": self.name, "type": "STATIC", "load_balancing_policy": override_host,
                "load_assignment": assignment(self.name, &engines)}),
        ]
    }
}

fn bootstrap(pools: &[Pool; 2]) -> Value {
    let ext_proc = json!({"name": "envoy.filters.http.ext_proc", "typed_config": {
        "@type": format!("{TYPES}.extensions.filters.http.ext_proc.v3.ExternalProcessor"),
        "grpc_service": {"envoy_grpc": {"cluster_name": format!("{}-picker", pools[0].name)}},
        "metadata_options": {"receiving_namespaces": {"untyped": ["envoy.lb"]}},
        "processing_mode": {
            "request_header_mode": "SEND", "response_header_mode": "SEND",
            "request_body_mode": "FULL_DUPLEX_STREAMED", "response_body_mode": "FULL_DUPLEX_STREAMED",
            "request_trailer_mode": "SEND", "response_trailer_mode": "SEND",
        },
    }});
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": format!("{TYPES}.extensions.filters.http.router.v3.Router")},
    });
    let manager = json!({
        "@type": format!("{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "gateway",
        "route_config": {"virtual_hosts": [{"name": "pools", "domains": ["*"], "routes": [{
            "match": {"prefix": "/"},
            "route": {"weighted_clusters": {"clusters": pools.each_ref().map(Pool::weighted)}},
        }]}]},
        "http_filters": [ext_proc, router],
    });
    json!({
        "admin": {"address": socket(([127, 0, 0, 1], 0).into())},
        "static_resources": {
            "listeners": [{
                "name": "gateway", "address": socket(([127, 0, 0, 1], 0).into()),
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
                }]}],
            }],
            "clusters": pools.iter().flat_map(Pool::clusters).collect::<Vec<_>>(),
        },
    })
}

fn assignment(cluster: &str, hosts: &[SocketAddr]) -> Value {
    let hosts: Vec<Value> = hosts.iter().map(|host| json!({"endpoint": {"address": socket(*host)}})).collect();
    json!({"cluster_name": cluster, "endpoints": [{"lb_endpoints": hosts}]})
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
