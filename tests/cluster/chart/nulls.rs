//! Values that somebody leaves empty: `tls:` with nothing below it takes all of its defaults away.

use serde_json::Value;

use super::helm::{Helm, IMAGE, chart};

/// Each value and each section by its path.
fn paths(path: &str, value: &Value, found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        paths(&path, value, found);
        found.push(path);
    }
}

#[test]
fn a_value_that_is_left_empty_counts_as_empty_or_is_asked_for_by_its_name() {
    let chart = chart();
    let values = std::fs::read_to_string(chart.join("values.yaml")).expect("the chart has values");
    let mut found = Vec::new();
    paths("", &serde_saphyr::from_str(&values).expect("values are YAML"), &mut found);
    found.extend(["sessions", "limits", "engineMetrics", "limits.requestBody"].map(|name| format!("config.{name}")));
    let helm = Helm::offline();
    for path in found {
        let null = format!("{path}=null");
        let chart = chart.to_str().expect("a plain path");
        // Where sections are off their values are not looked at.
        let on = ["engines.selector.app=a", "pool.create=true", "gateway=none", "serviceMonitor.enabled=true"];
        let more = ["prometheusRule.enabled=true", "networkPolicy.enabled=true", "dashboard.enabled=true"];
        let values = on.iter().chain(&more).copied().chain([null.as_str()]).flat_map(|value| ["--set", value]);
        let output = helm.output(&[&["template", "rel", chart][..], &IMAGE, &values.collect::<Vec<_>>()].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let name = path.rsplit('.').next().expect("a name");
        let paths = [path.clone(), path.replace('.', "/"), format!("missing property '{name}'")];
        let asked = paths.iter().any(|words| said.contains(words));
        let lost = ["nil pointer", "error calling", "YAML parse"].iter().any(|words| said.contains(words));
        assert!(output.status.success() || (asked && !lost), "{path}: {said}");
    }
}
