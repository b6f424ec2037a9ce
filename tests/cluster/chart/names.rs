//! Names that look like something else in YAML, and labels that somebody gives twice.

use serde_json::Value;

use super::helm::{Helm, only};
use super::lifecycle::EVERYTHING;

/// What YAML reads as a number, a boolean or nothing, unless it is quoted.
const ODD: [&str; 5] = ["123", "1e3", "no", "true", "null"];

fn rendered(release: &str, namespace: &str, values: &[&str], texts: &[String]) -> Vec<Value> {
    let values = values.iter().flat_map(|value| ["--set", value]);
    let texts = texts.iter().flat_map(|text| ["--set-string", text.as_str()]);
    Helm::offline().template(release, namespace, &values.chain(texts).collect::<Vec<_>>())
}

/// Fails where a name, a namespace, a label or a selector is no text.
fn are_texts(path: &str, value: &Value) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let names = ["name", "namespace", "secretName", "serviceAccountName", "priorityClassName", "host"];
        if names.contains(&key.as_str()) {
            assert!(value.is_string(), "{path} is {value}");
        }
        if ["labels", "matchLabels", "annotations", "selector"].contains(&key.as_str()) {
            let plain = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_object());
            plain.for_each(|(key, value)| assert!(value.is_string(), "{path}.{key} is {value}"));
        }
        are_texts(&path, value);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        if path.ends_with("dnsNames") || path.ends_with("resourceNames") {
            assert!(value.is_string(), "{path}[{index}] is {value}");
        }
        are_texts(&format!("{path}[{index}]"), value);
    }
}

#[test]
fn a_name_stays_a_name_whatever_yaml_would_read_it_as() {
    for odd in ODD {
        let named = |value: &str| format!("{value}={odd}");
        let given = ["fullnameOverride", "pool.name", "tls.existingSecret", "existingConfigMap.name"];
        let more = ["serviceAccount.name", "priorityClassName", "nameOverride", "labels.one", "podLabels.two"];
        let texts: Vec<String> = given.iter().chain(&more).map(|value| named(value)).collect();
        let few = ["pool.create=true", "engines.selector.app=llama", "gateway=istio"];
        let gateway = [
            "gateway=envoyGateway",
            "engines.selector.app=llama",
            "gatewaySettings.routes[0]=a",
            "autoscaling.enabled=true",
        ];
        for objects in [
            rendered(odd, odd, EVERYTHING, &[]),
            rendered(odd, odd, &few, &texts),
            rendered("rel", odd, &gateway, &[named("gatewaySettings.routes[0]"), named("fullnameOverride")]),
        ] {
            assert!(objects.len() > 5, "{objects:?}");
            objects.iter().for_each(|object| are_texts(object["kind"].as_str().expect("a kind"), object));
        }
    }
}

/// What reads the rendered chart in these tests takes no key twice.
#[test]
fn a_label_that_is_given_twice_is_there_once_and_the_nearer_one_counts() {
    let own = r"app\.kubernetes\.io/version";
    let texts = [
        format!("labels.{own}=labels"),
        format!("dashboard.labels.{own}=dashboard"),
        format!("serviceMonitor.labels.{own}=monitor"),
        format!("podLabels.{own}=pod"),
    ];
    let objects = rendered("rel", "default", EVERYTHING, &texts);
    let label = |object: &Value| object["metadata"]["labels"]["app.kubernetes.io/version"].clone();
    assert_eq!(label(only(&objects, "Deployment")), "labels");
    assert_eq!(label(only(&objects, "ServiceMonitor")), "monitor");
    assert_eq!(label(&only(&objects, "Deployment")["spec"]["template"]), "pod");
    let dashboard = objects.iter().find(|object| !object["data"]["homing.json"].is_null());
    assert_eq!(label(dashboard.expect("a dashboard")), "dashboard");
}
