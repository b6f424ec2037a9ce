//! The conformance suite's own objects at an API server: its pools, and its Deployment of a picker. What its tests send
//! is in `tests/e2e/conformance.rs`; `docs/conformance.md` tells which is which.

mod deployment;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kubernetes::{ControlPlane, POOL, Site, World};
use crate::support::prompts::with;
use crate::support::{Protocol, Reply, chat};

/// The ports of the suite's data parallel pods; others have the first alone.
const PORTS: [u16; 3] = [3000, 3002, 3004];
const SELECTION: &str = "test-epp-endpoint-selection";
const SERVED: &str = "x-conformance-test-served-endpoint";

/// A pool in front of three pods, with these fields beside its selector.
async fn world(ports: &[u16], fields: Value) -> World {
    let mut site = Site::new(ControlPlane::shared().await).await;
    let mut spec = json!({"selector": {"matchLabels": {"app": "engine"}}});
    spec["targetPorts"] = ports.iter().map(|port| json!({"number": port})).collect();
    for (name, value) in fields.as_object().expect("fields") {
        spec[name] = value.clone();
    }
    site.namespace.pool_of(POOL, spec).await;
    for name in ["p1", "p2", "p3"] {
        site.add(name, ports).await;
    }
    let homing = site.homing(&["--conformance-test-headers"]).await;
    let names: Vec<String> = site.engines.iter().map(|engine| engine.name().to_owned()).collect();
    let world = site.serve(homing).await;
    world.serves(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world
}

async fn pinned(world: &World, protocol: Protocol, selection: &str) -> Reply {
    world.envoy.connect(protocol).await.exchange(with(chat(None, "short", "hello"), SELECTION, selection)).await
}

/// `InferencePoolMissingEPPRef`, `InferencePoolInvalidEPPService`, and the pools of `EppUnAvailableFailOpen` and
/// `InferencePoolAppProtocol`: Homing is told its pool, and whom that names as its picker is the gateway's affair.
#[tokio::test]
async fn pools_without_a_picker_and_with_one_that_is_not_there_are_served() {
    let missing = json!({"name": "non-existent-epp-svc", "port": {"number": 9002}});
    let open = json!({"name": "secondary-endpoint-picker-svc", "failureMode": "FailOpen", "port": {"number": 9002}});
    for (fields, protocol) in [
        (json!({}), Protocol::Http1),
        (json!({"endpointPickerRef": missing}), Protocol::Http1),
        (json!({"endpointPickerRef": open, "appProtocol": "http"}), Protocol::Http1),
        (json!({"endpointPickerRef": missing, "appProtocol": "kubernetes.io/h2c"}), Protocol::Http2),
    ] {
        let world = world(&PORTS[..1], fields.clone()).await;
        for engine in &world.site.engines {
            let address = engine.address().to_string();
            let reply = pinned(&world, protocol, &address).await.ok();
            assert_eq!((reply.served_by(), reply.header(SERVED)), (engine.name(), &*address), "{fields}");
        }
    }
}

/// `GatewayFollowingEPPRoutingWithDataParallelism`, with the ports as the pool's.
#[tokio::test]
async fn the_ranks_of_a_pool_with_several_ports_are_chosen_by_port() {
    let world = world(&PORTS, json!({})).await;
    let [one, two, three] = [1, 2, 3].map(|number| world.site.address(number));
    for (selection, allowed) in [
        (format!("{two}"), &["p2-rank-0", "p2-rank-1", "p2-rank-2"][..]),
        (format!("{three}:3002"), &["p3-rank-1"]),
        (format!("{two}:3000,{two}:3004"), &["p2-rank-0", "p2-rank-2"]),
        (format!("{one}:3004,{three}:3002"), &["p1-rank-2", "p3-rank-1"]),
    ] {
        let mut seen = BTreeSet::new();
        for _ in 0..30 {
            let reply = pinned(&world, Protocol::Http1, &selection).await.ok();
            seen.insert(reply.served_by().to_owned());
        }
        assert!(seen.iter().all(|name| allowed.contains(&name.as_str())), "{seen:?} by {selection}");
    }
}
