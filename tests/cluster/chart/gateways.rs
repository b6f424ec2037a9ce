//! What the chart renders beside Homing for the gateway that asks it.

use serde_json::{Value, json};

use super::helm::{Helm, only};

fn rendered(values: &[&str]) -> Vec<Value> {
    let basic = ["engines.selector.app=llama"];
    let values: Vec<&str> = basic.iter().chain(values).flat_map(|value| ["--set", value]).collect();
    Helm::offline().template("rel", "llm", &values)
}

fn service<'a>(objects: &'a [Value], name: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["kind"] == "Service" && object["metadata"]["name"] == name)
}

#[test]
fn answers_of_homing_put_no_replica_out_at_a_gateway_whose_default_is_five() {
    let rule = only(&rendered(&["gateway=istio", "pool.create=true"]), "DestinationRule").clone();
    let outlier = &rule["spec"]["trafficPolicy"]["outlierDetection"];
    assert_eq!([&outlier["consecutive5xxErrors"], &outlier["consecutiveGatewayErrors"]], [&json!(0), &json!(0)]);
    let policy = rendered(&["gateway=envoyGateway", "gatewaySettings.routes={mine}"]);
    let policy = only(&policy, "EnvoyExtensionPolicy");
    let passive = &policy["spec"]["extProc"][0]["backendSettings"]["healthCheck"]["passive"];
    assert!(passive["consecutive5XxErrors"].as_i64() >= Some(1_000_000), "{passive}");
}

#[test]
fn envoy_gateway_sends_again_only_what_no_engine_has_seen() {
    let retry = |retries: &str| {
        let objects = rendered(&["gateway=envoyGateway", "gatewaySettings.routes={mine}", retries]);
        only(&objects, "BackendTrafficPolicy")["spec"]["retry"].clone()
    };
    let triggers = json!(["connect-failure", "refused-stream", "reset-before-request"]);
    assert_eq!(retry("gatewaySettings.retries=5"), json!({"numRetries": 5, "retryOn": {"triggers": triggers}}));
    assert_eq!(retry("gatewaySettings.retries=0"), json!(null));
    // `helm upgrade --reuse-values` from a release that did not know it.
    assert_eq!(retry("gatewaySettings.retries=null")["numRetries"], 2);
}

#[test]
fn gke_asks_at_a_path_of_engines_even_where_the_values_are_those_of_an_older_release() {
    let objects = rendered(&["gateway=gke", "pool.create=true", "gatewaySettings.engineHealthPath=null"]);
    let check = &only(&objects, "HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"];
    assert_eq!(check["requestPath"], "/health", "{check}");
}

#[test]
fn envoy_gateway_asks_homing_by_http_whether_it_is_ready_and_a_network_policy_lets_it() {
    let values = ["gateway=envoyGateway", "gatewaySettings.routes={mine}", "networkPolicy.enabled=true"];
    let objects = rendered(&values);
    let check = &only(&objects, "EnvoyExtensionPolicy")["spec"]["extProc"][0]["backendSettings"]["healthCheck"];
    // By gRPC its checks carry the name of Envoy's cluster as authority, slashes and all, and every one of them fails.
    let active = &check["active"];
    assert_eq!((&active["type"], &active["http"]["path"]), (&json!("HTTP"), &json!("/readyz")), "{active}");
    assert_eq!(active["overrides"]["port"], 9090);
    // Its first check comes before a replica listens, and its next one after a minute.
    assert_ne!(check["panicThreshold"], 0);
    let gateway = &only(&objects, "NetworkPolicy")["spec"]["ingress"][0]["ports"];
    let ports: Vec<&Value> = gateway.as_array().expect("a list").iter().map(|port| &port["port"]).collect();
    assert_eq!(ports, [9002, 9090]);
}

#[test]
fn an_envoy_that_the_chart_does_not_know_finds_each_replica_under_a_name() {
    let objects = rendered(&["service.port=9999"]);
    let pickers = service(&objects, "rel-homing-pickers").expect("a Service without an address");
    assert_eq!(pickers["spec"]["clusterIP"], "None");
    assert_eq!(pickers["spec"]["ports"][0]["port"], 9002, "the pods' own port");
    assert_eq!(pickers["spec"]["selector"], service(&objects, "rel-homing").expect("a Service")["spec"]["selector"]);
    assert!(service(&rendered(&["gateway=istio", "pool.create=true"]), "rel-homing-pickers").is_none());
}

#[test]
fn a_cluster_has_the_domain_that_it_has() {
    let certificate = ["tls.certManager.enabled=true", "tls.certManager.issuerRef.name=ca"];
    let values = ["gateway=istio", "pool.create=true", "clusterDomain=k8s.example.com"];
    let objects = rendered(&[&certificate[..], &values].concat());
    let name = "rel-homing.llm.svc.k8s.example.com";
    assert_eq!(only(&objects, "DestinationRule")["spec"]["host"], name);
    assert!(only(&objects, "Certificate")["spec"]["dnsNames"].as_array().expect("names").contains(&json!(name)));
}

#[test]
fn engines_without_a_pool_that_speak_http_2_are_told_to_homing_and_others_are_not() {
    let arguments = |values: &[&str]| {
        let objects = rendered(values);
        let homing = &only(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
        let doctor = &only(&objects, "Pod")["spec"]["containers"][0]["args"];
        [homing, doctor].map(|args| args.to_string().contains(r#""--endpoint-app-protocol=kubernetes.io/h2c""#))
    };
    let http_2 = "pool.appProtocol=kubernetes.io/h2c";
    assert_eq!(arguments(&[http_2]), [true, true]);
    assert_eq!(arguments(&[http_2, "pool.create=true"]), [false, false], "the pool says it");
    assert_eq!(arguments(&[]), [false, false]);
}
