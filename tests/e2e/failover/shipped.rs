//! The settings of the pickers' cluster that `deploy/envoy/` ships, to be tested as they are, or with health checks
//! that wait.

use serde_json::{Value, json};

use crate::support::envoy::Options;

/// The examples.
const EXAMPLES: [&str; 2] =
    [include_str!("../../../deploy/envoy/original-dst.yaml"), include_str!("../../../deploy/envoy/override-host.yaml")];

/// What a test fills in by itself: where the pickers are, and whether they speak TLS.
const LOCAL: [&str; 4] = ["name", "type", "load_assignment", "transport_socket"];

/// Envoy as the examples set it up towards its pickers.
pub fn shipped() -> Options {
    let [first, second] = EXAMPLES.map(settings);
    assert_eq!(first["outlier_detection"], second["outlier_detection"], "the examples agree");
    assert_eq!(first["health_checks"], second["health_checks"], "the examples agree");
    Options { picker_cluster: first, ..Options::default() }
}

/// The same with checks that wait: on a starved machine a living replica may answer later than after a second, and that
/// is not what is tested.
pub fn patient() -> Options {
    let mut options = shipped();
    options.picker_cluster["health_checks"][0]["timeout"] = json!("20s");
    options
}

/// Fields of the pickers' cluster.
fn settings(example: &str) -> Value {
    let document: Value = serde_saphyr::from_str(example).expect("an example is YAML");
    let clusters = document["static_resources"]["clusters"].as_array().expect("a list of clusters");
    let mut cluster = clusters.iter().find(|cluster| cluster["name"] == "homing").expect("the pickers").clone();
    cluster.as_object_mut().expect("a cluster has fields").retain(|name, _| !LOCAL.contains(&name.as_str()));
    cluster
}

/// Why no example has the gateway retry its gRPC call: see [`super::windows`].
#[test]
fn no_example_retries_the_call_to_a_picker() {
    for example in EXAMPLES {
        let document: Value = serde_saphyr::from_str(example).expect("an example is YAML");
        let manager = &document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
        let filters = manager["http_filters"].as_array().expect("a list of filters");
        let filter = filters.iter().find(|filter| filter["name"] == "envoy.filters.http.ext_proc").expect("ext_proc");
        assert_eq!(filter["typed_config"]["grpc_service"], json!({"envoy_grpc": {"cluster_name": "homing"}}));
    }
}
