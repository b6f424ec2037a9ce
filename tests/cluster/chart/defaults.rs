//! What a chart that says little renders.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::helm::{Helm, only};
use super::matrix::MATRIX;
use crate::support::homing::binary;

fn rendered(values: &[&str]) -> Vec<Value> {
    let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
    Helm::offline().template("homing", "default", &values)
}

fn repository(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the file is there")
}

#[test]
fn its_role_is_the_documented_one_with_which_homing_is_tested() {
    let objects = rendered(&["pool.name=pool"]);
    let documented = repository("deploy/kubernetes/rbac.yaml");
    let documents: Vec<Value> =
        documented.split("\n---\n").map(|text| serde_saphyr::from_str(text).expect("the example is YAML")).collect();
    for kind in ["Role", "RoleBinding"] {
        let (chart, example) = (only(&objects, kind), only(&documents, kind));
        for field in ["rules", "roleRef", "subjects"] {
            assert_eq!(chart[field], example[field], "{field} of the {kind}");
        }
    }
}

#[test]
fn a_homing_without_a_pool_may_not_look_at_pools() {
    let objects = rendered(&["engines.selector.app=llama"]);
    assert!(!only(&objects, "Role")["rules"].to_string().contains("inferencepools"));
}

#[test]
fn the_pod_may_take_as_long_to_end_as_its_drain_takes() {
    let pod = |values: &[&str]| only(&rendered(values), "Deployment")["spec"]["template"]["spec"].clone();
    let arguments = |pod: &Value| pod["containers"][0]["args"].to_string();
    let usual = pod(&["pool.name=pool"]);
    assert!(arguments(&usual).contains(r#""--drain-window=5s","--drain-timeout=110s""#));
    assert_eq!(usual["terminationGracePeriodSeconds"], 125);
    let longer = pod(&["pool.name=pool", "drain.windowSeconds=20", "drain.streamSeconds=600"]);
    assert!(arguments(&longer).contains(r#""--drain-window=20s","--drain-timeout=600s""#));
    assert_eq!(longer["terminationGracePeriodSeconds"], 630);
}

#[test]
fn a_new_pod_is_ready_as_long_as_gateways_may_take_to_learn_of_it_before_an_old_one_goes() {
    for (window, seconds) in [("drain.windowSeconds=5", 5), ("drain.windowSeconds=900", 900)] {
        let deployment = only(&rendered(&["pool.name=pool", window]), "Deployment")["spec"].clone();
        assert_eq!(deployment["minReadySeconds"], seconds);
        assert!(deployment["progressDeadlineSeconds"].as_i64() > Some(seconds), "the API server insists on it");
    }
}

#[test]
fn the_user_is_that_of_the_image_or_of_the_cluster() {
    let objects = rendered(&["pool.name=pool"]);
    for pod in [&only(&objects, "Deployment")["spec"]["template"]["spec"], &only(&objects, "Pod")["spec"]] {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert!(!pod.to_string().contains("runAsUser") && !pod.to_string().contains("runAsGroup"), "{pod}");
    }
}

#[test]
fn the_picker_speaks_what_each_gateway_expects() {
    let facts = |gateway: &str, more: &[&str]| {
        let named = format!("gateway={gateway}");
        let route = ["httpRoute.enabled=true", "httpRoute.parentRefs[0].name=gateway"];
        let basic = [&named, "pool.create=true", "engines.selector.app=llama"];
        let objects = rendered(&[&basic[..], &route, more].concat());
        let service =
            objects.iter().find(|object| object["kind"] == "Service" && object["metadata"]["name"] == "homing");
        let protocol = service.expect("the picker's Service")["spec"]["ports"][0]["appProtocol"].clone();
        let arguments = only(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
        let tested = only(&objects, "Pod")["spec"]["containers"][0]["args"].to_string();
        let tls = arguments.contains("--secure-serving=true");
        assert_eq!(tls, tested.contains("--secure-serving=true"), "what is tested is what runs");
        (tls, protocol, arguments.contains("--clear-route-cache"))
    };
    for gateway in ["none", "envoyAIGateway", "istio", "agentgateway", "gke", "nginxGatewayFabric"] {
        assert_eq!(facts(gateway, &[]), (true, json!("http2"), false), "{gateway}");
    }
    assert_eq!(facts("kgateway", &[]), (true, json!("http2"), true));
    assert_eq!(facts("envoyGateway", &[]), (false, json!("kubernetes.io/h2c"), false));
    assert_eq!(facts("istio", &["tls.enabled=false"]), (false, json!("kubernetes.io/h2c"), false));
}

#[test]
fn a_pool_of_the_chart_has_only_fields_of_the_first_definitions_unless_more_is_asked_for() {
    let pool = |values: &[&str]| {
        let basic = ["pool.create=true", "engines.selector.app=llama"];
        only(&rendered(&[&basic, values].concat()), "InferencePool")["spec"].clone()
    };
    let usual = pool(&[]);
    let fields: Vec<&String> = usual.as_object().expect("a specification").keys().collect();
    assert_eq!(fields, ["endpointPickerRef", "selector", "targetPorts"]);
    assert_eq!(pool(&["pool.appProtocol=kubernetes.io/h2c"])["appProtocol"], "kubernetes.io/h2c");
}

#[test]
fn a_route_of_the_chart_lets_answers_take_as_long_as_they_take() {
    for gateway in ["envoyGateway", "envoyAIGateway", "istio", "kgateway", "agentgateway", "nginxGatewayFabric"] {
        let gateway = format!("gateway={gateway}");
        let route = ["httpRoute.enabled=true", "httpRoute.parentRefs[0].name=gateway"];
        let objects =
            rendered(&[&[gateway.as_str(), "pool.create=true", "engines.selector.app=llama"][..], &route].concat());
        assert_eq!(only(&objects, "HTTPRoute")["spec"]["rules"][0]["timeouts"], json!({"request": "0s"}), "{gateway}");
    }
}

#[test]
fn gke_is_told_in_a_policy_how_long_answers_may_take_since_it_refuses_routes_that_say_it() {
    let route = ["httpRoute.enabled=true", "httpRoute.parentRefs[0].name=gateway"];
    let objects = rendered(&[&["gateway=gke", "pool.name=llama"][..], &route].concat());
    assert!(only(&objects, "HTTPRoute")["spec"]["rules"][0]["timeouts"].is_null());
    let pool = json!({"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llama"});
    for kind in ["GCPBackendPolicy", "HealthCheckPolicy"] {
        assert_eq!(only(&objects, kind)["spec"]["targetRef"], pool, "{kind}");
    }
    assert!(only(&objects, "GCPBackendPolicy")["spec"]["default"]["timeoutSec"].as_i64() > Some(3600));
    let check = &only(&objects, "HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"];
    assert_eq!((&check["requestPath"], &check["port"]), (&json!("/health"), &Value::Null), "the pods' own ports");
}

#[test]
fn the_configuration_of_the_values_is_one_that_homing_takes() {
    let page = repository("docs/configuration.md");
    let document = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the defaults");
    let config: Value = serde_saphyr::from_str(document).expect("the defaults are YAML");
    let values = format!("config={config}");
    let objects = Helm::offline().template("rel", "default", &["--set", "pool.name=pool", "--set-json", &values]);
    assert_eq!(checked(&objects), (true, "ok\n".to_owned()));
    for case in MATRIX {
        let objects = Helm::offline().template(case.release, "default", &case.arguments());
        if objects.iter().any(|object| !object["data"]["config.yaml"].is_null()) {
            assert!(checked(&objects).0, "{}", case.name);
        }
    }
}

/// What `homing check` says of the rendered configuration.
fn checked(objects: &[Value]) -> (bool, String) {
    let document = objects.iter().find_map(|object| object["data"]["config.yaml"].as_str()).expect("a configuration");
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("config.yaml");
    fs::write(&file, document).expect("the folder takes files");
    let output = Command::new(binary()).arg("check").arg(&file).output().expect("Homing can be run");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}
