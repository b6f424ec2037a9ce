//! The alerts as a release renders them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::helm::{Helm, only};

/// The alerts by name.
fn alerts(values: &[&str]) -> BTreeMap<String, Value> {
    let basic = ["engines.selector.app=llama", "serviceMonitor.enabled=true", "prometheusRule.enabled=true"];
    let values: Vec<&str> = basic.iter().chain(values).flat_map(|value| ["--set", value]).collect();
    let objects = Helm::offline().template("rel", "llm", &values);
    let rules = only(&objects, "PrometheusRule")["spec"]["groups"][0]["rules"].as_array().expect("rules").clone();
    let named = rules.into_iter().map(|rule| (rule["alert"].as_str().expect("a name").to_owned(), rule));
    named.collect()
}

#[test]
fn each_alert_takes_the_series_of_its_release_only() {
    for (name, alert) in alerts(&[]) {
        let expression = alert["expr"].as_str().expect("an expression");
        let own = r#"namespace="llm",service="rel-homing"}"#;
        assert_eq!(expression.matches('{').count(), expression.matches(own).count(), "{name}: {expression}");
    }
}

#[test]
fn a_release_without_replicas_is_not_down() {
    assert!(alerts(&[]).contains_key("HomingDown"));
    assert!(!alerts(&["replicas=0"]).contains_key("HomingDown"));
    assert!(alerts(&["replicas=0", "autoscaling.enabled=true"]).contains_key("HomingDown"));
}

#[test]
fn replicas_that_share_nothing_are_not_missed() {
    let about = |values: &[&str]| {
        ["HomingSharedStateDown", "HomingReplicasUnheard"].map(|name| alerts(values).contains_key(name))
    };
    assert_eq!(about(&[]), [true; 2]);
    assert_eq!(about(&["replicas=1"]), [false; 2]);
    assert_eq!(about(&["sharedState.mode=none"]), [false; 2]);
}

#[test]
fn open_streams_are_those_of_all_replicas_together_as_envoy_counts_them() {
    let expression = |values: &[&str]| alerts(values)["HomingOpenStreamsHigh"]["expr"].clone();
    let series = r#"sum(homing_open_streams{namespace="llm",service="rel-homing"}) by (namespace, service)"#;
    assert_eq!(expression(&[]), format!("{series} > 900"));
    assert_eq!(expression(&["prometheusRule.openStreams=5000000"]), format!("{series} > 5000000"));
}

#[test]
fn a_refused_configuration_is_told_for_as_long_as_it_stands() {
    let alert = &alerts(&[])["HomingConfigurationRefused"];
    assert_eq!(alert["expr"], r#"homing_config_good{namespace="llm",service="rel-homing"} == 0"#);
    assert_eq!(alert["for"], "1m");
}

#[test]
fn an_alert_has_the_address_of_its_runbook_once_that_is_known() {
    let runbook = |values: &[&str]| alerts(values)["HomingDown"]["annotations"]["runbook_url"].clone();
    assert_eq!(runbook(&[]), Value::Null);
    assert_eq!(runbook(&["prometheusRule.runbookUrl=docs/alerts"]), "docs/alerts#homingdown");
}
