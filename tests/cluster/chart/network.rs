//! Whom the chart's NetworkPolicy lets reach whom.

use serde_json::{Value, json};

use super::helm::{Helm, only};

fn rendered(values: &[&str]) -> Vec<Value> {
    let basic = [r#"pool.name="llama""#, "networkPolicy.enabled=true"];
    let values: Vec<&str> = basic.iter().chain(values).flat_map(|value| ["--set-json", value]).collect();
    Helm::offline().template("rel", "default", &values)
}

/// Whether a selector of pods takes these labels.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let mut equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut among = selector["matchExpressions"].as_array().into_iter().flatten();
    let key = |expression: &Value| labels[expression["key"].as_str().expect("a key")].clone();
    equal.all(|(name, value)| labels[name] == *value)
        && among.all(|expression| expression["values"].as_array().expect("values").contains(&key(expression)))
}

/// Whether a rule names pods with these labels, in `from` or in `to`.
pub fn admits(rule: &Value, field: &str, labels: &Value) -> bool {
    let peers = rule[field].as_array().into_iter().flatten();
    peers.into_iter().any(|peer| !peer["podSelector"].is_null() && selects(&peer["podSelector"], labels))
}

#[test]
fn the_pod_of_helm_test_is_let_to_homing_and_to_all_that_homing_may_reach() {
    let values = [
        r#"networkPolicy.gatewayFrom=[{"namespaceSelector":{"matchLabels":{"team":"edge"}}}]"#,
        r#"test.podLabels={"app.kubernetes.io/name":"other","sidecar":"none"}"#,
    ];
    let objects = rendered(&values);
    let policy = &only(&objects, "NetworkPolicy")["spec"];
    let doctor = &only(&objects, "Pod")["metadata"]["labels"];
    let homing = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(doctor["sidecar"], "none");
    for labels in [doctor, homing] {
        assert!(selects(&policy["podSelector"], labels), "{labels}");
    }
    assert!(!selects(&policy["podSelector"], &json!({"app.kubernetes.io/instance": "rel"})), "nobody else");
    let asks = &policy["ingress"][0];
    assert_eq!(asks["ports"][0]["port"], 9002);
    assert!(admits(asks, "from", doctor) && !admits(asks, "from", homing), "{asks}");
    let egress = policy["egress"].as_array().expect("egress").iter();
    let mut to_homing = egress.filter(|rule| rule["ports"] == json!([{"port": 9002, "protocol": "TCP"}]));
    assert!(admits(to_homing.next().expect("a rule"), "to", homing));
}

#[test]
fn the_api_server_is_reached_where_the_values_say_and_more_may_be_added() {
    let egress = |values: &[&str]| only(&rendered(values), "NetworkPolicy")["spec"]["egress"].clone();
    let port = |port: u16| json!({"port": port, "protocol": "TCP"});
    let usual = egress(&[]);
    assert!(usual.as_array().expect("rules").contains(&json!({"ports": [port(443), port(6443)]})), "{usual}");
    let peer = json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}]);
    let more = json!({"ports": [port(4317)]});
    let api_server = format!(r#"networkPolicy.apiServer={{"ports":[16443],"to":{peer}}}"#);
    let own = egress(&[&api_server, &format!("networkPolicy.extraEgress=[{more}]")]);
    let own = own.as_array().expect("rules");
    assert!(own.contains(&json!({"ports": [port(16443)], "to": peer})), "{own:?}");
    assert!(own.contains(&more), "{own:?}");
    assert!(!own.iter().any(|rule| rule.to_string().contains(":6443")), "{own:?}");
}
