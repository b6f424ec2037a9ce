//! Which fields of a pod's spec a node honours, which it may pass over, and that all others are errors.

use serde_json::Value;

/// What is done as the spec says.
const HONOURED: &[&str] = &[
    "containers[].name",
    "containers[].image",
    "containers[].command[]",
    "containers[].args[]",
    "containers[].env[].name",
    "containers[].env[].value",
    "containers[].env[].valueFrom.fieldRef.**",
    "containers[].env[].valueFrom.configMapKeyRef.**",
    "containers[].env[].valueFrom.secretKeyRef.**",
    "containers[].ports[].**",
    "containers[].volumeMounts[].name",
    "containers[].volumeMounts[].mountPath",
    "containers[].volumeMounts[].readOnly",
    "containers[].lifecycle.preStop.sleep.seconds",
    "containers[].lifecycle.preStop.httpGet.path",
    "containers[].lifecycle.preStop.httpGet.port",
    "containers[].lifecycle.preStop.httpGet.scheme",
    "containers[].securityContext.readOnlyRootFilesystem",
    "containers[].securityContext.runAsUser",
    "containers[].securityContext.runAsGroup",
    "containers[].securityContext.runAsNonRoot",
    "containers[].terminationMessagePath",
    "containers[].terminationMessagePolicy",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.runAsNonRoot",
    "securityContext.fsGroup",
    "volumes[].name",
    "volumes[].emptyDir.**",
    "volumes[].configMap.**",
    "volumes[].secret.**",
    "volumes[].downwardAPI.defaultMode",
    "volumes[].downwardAPI.items[].path",
    "volumes[].downwardAPI.items[].fieldRef.**",
    "volumes[].projected.defaultMode",
    "volumes[].projected.sources[].configMap.**",
    "volumes[].projected.sources[].secret.**",
    "volumes[].projected.sources[].serviceAccountToken.**",
    "volumes[].projected.sources[].downwardAPI.items[].path",
    "volumes[].projected.sources[].downwardAPI.items[].fieldRef.**",
    "nodeName",
    "restartPolicy",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
];

/// The same for each of the three probes.
const HONOURED_OF_PROBES: &[&str] = &[
    "httpGet.path",
    "httpGet.port",
    "httpGet.scheme",
    "grpc.port",
    "grpc.service",
    "tcpSocket.port",
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "successThreshold",
    "failureThreshold",
];
const PROBES: [&str; 3] = ["containers[].startupProbe.", "containers[].readinessProbe.", "containers[].livenessProbe."];

/// What changes nothing where there is one node, which has room, and nobody pulls images.
const HARMLESS: &[&str] = &[
    "affinity.**",
    "automountServiceAccountToken",
    "containers[].imagePullPolicy",
    "containers[].resizePolicy[].**",
    "containers[].resources.**",
    "containers[].securityContext.allowPrivilegeEscalation",
    "containers[].securityContext.capabilities.drop[]",
    "containers[].securityContext.privileged",
    "containers[].securityContext.seccompProfile.**",
    "dnsPolicy",
    "enableServiceLinks",
    "imagePullSecrets[].**",
    "nodeSelector.**",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "schedulerName",
    "securityContext.fsGroupChangePolicy",
    "securityContext.seccompProfile.**",
    "serviceAccount",
    "tolerations[].**",
    "topologySpreadConstraints[].**",
];

/// Fields that only mean what a node does where they have this value.
const ONLY: &[(&str, &str)] = &[
    ("containers[].lifecycle.preStop.httpGet.scheme", "HTTP"),
    ("containers[].livenessProbe.httpGet.scheme", "HTTP"),
    ("containers[].readinessProbe.httpGet.scheme", "HTTP"),
    ("containers[].startupProbe.httpGet.scheme", "HTTP"),
    ("containers[].securityContext.privileged", "false"),
    ("dnsPolicy", "ClusterFirst"),
];

/// The first field of a pod's spec that a node does not know, in words.
pub fn unknown(spec: &Value) -> Option<String> {
    match spec["containers"].as_array().map_or(0, Vec::len) {
        1 => walk(spec, ""),
        count => Some(format!("spec.containers: the node runs one container a pod, not {count}")),
    }
}

fn walk(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(fields) if !fields.is_empty() => fields.iter().find_map(|(name, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            walk(value, &format!("{path}{dot}{name}"))
        }),
        Value::Array(items) if !items.is_empty() => items.iter().find_map(|item| walk(item, &format!("{path}[]"))),
        leaf => judge(leaf, path),
    }
}

fn judge(leaf: &Value, path: &str) -> Option<String> {
    let known = HONOURED.iter().chain(HARMLESS).any(|pattern| matches(pattern, path, leaf));
    let of_probe = PROBES
        .iter()
        .filter_map(|probe| path.strip_prefix(probe))
        .any(|rest| HONOURED_OF_PROBES.iter().any(|pattern| matches(pattern, rest, leaf)));
    if !known && !of_probe {
        return Some(format!("spec.{path}: the node does not know this field"));
    }
    let said = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
    let only = ONLY.iter().find(|(field, only)| *field == path && *only != said)?;
    Some(format!("spec.{path}: the node knows {} only, not {said}", only.1))
}

/// Whether `path` is what `pattern` says; what is empty may end early.
fn matches(pattern: &str, path: &str, leaf: &Value) -> bool {
    let ends_early = leaf.is_object() || leaf.is_array();
    match pattern.strip_suffix(".**") {
        Some(prefix) => path.starts_with(prefix) || (ends_early && prefix.starts_with(path)),
        None => path == pattern || (ends_early && pattern.starts_with(path)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_node_does_not_know_is_named() {
        let container = json!({"name": "a", "image": "a", "resources": {"limits": {"cpu": 1}}, "securityContext": {}});
        let with = |field: &str, value: Value| {
            let mut container = container.clone();
            container[field] = value;
            json!({"containers": [container]})
        };
        for (spec, named) in [
            (with("stdin", json!(true)), "spec.containers[].stdin"),
            (
                with("livenessProbe", json!({"exec": {"command": ["a"]}})),
                "spec.containers[].livenessProbe.exec.command[]",
            ),
            (
                with("readinessProbe", json!({"httpGet": {"scheme": "HTTPS"}})),
                "spec.containers[].readinessProbe.httpGet.scheme",
            ),
            (json!({"containers": [container], "hostNetwork": true}), "spec.hostNetwork"),
            (json!({"containers": [container], "initContainers": [container]}), "spec.initContainers[]"),
            (json!({"containers": [container, container]}), "spec.containers"),
        ] {
            let found = unknown(&spec).unwrap_or_default();
            assert!(found.starts_with(named), "{spec}: {found:?}");
        }
        for spec in [
            with("readinessProbe", json!({"grpc": {"port": 9003, "service": "readiness"}, "periodSeconds": 1})),
            with("args", json!([])),
            json!({"containers": [container], "volumes": [{"name": "a", "emptyDir": {}}], "securityContext": {}}),
        ] {
            assert_eq!(unknown(&spec), None, "{spec}");
        }
    }
}
