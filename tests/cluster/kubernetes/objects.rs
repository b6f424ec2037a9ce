//! Objects as the API server takes them.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// A pod, as its kubelet would report it.
#[derive(Clone, Debug)]
pub struct PodOf {
    pub name: String,
    pub app: &'static str,
    pub address: Ipv4Addr,
    pub ready: bool,
    pub restarts: u32,
    pub annotations: Value,
}

impl PodOf {
    /// A ready pod of the app `engine`.
    pub fn new(name: &str, address: Ipv4Addr) -> Self {
        Self { name: name.to_owned(), app: "engine", address, ready: true, restarts: 0, annotations: json!({}) }
    }

    pub(super) fn object(&self) -> Value {
        let ports = [8000, 8001, 8002].map(|port| json!({"containerPort": port}));
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "labels": {"app": self.app}, "annotations": self.annotations},
            "spec": {
                // A pod that is bound to a node is not removed before somebody says that it has ended.
                "nodeName": "node",
                "containers": [{"name": "engine", "image": "engine", "ports": ports}],
            },
        })
    }

    pub(super) fn status(&self) -> Value {
        let Self { address, ready, restarts, .. } = self;
        let condition = if *ready { "True" } else { "False" };
        json!({"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": condition}],
            "containerStatuses": [{
                "name": "engine", "restartCount": restarts, "ready": ready, "image": "engine", "imageID": "engine",
            }],
        }})
    }
}

/// An InferencePool of the pods of one app.
pub fn pool(name: &str, app: &str, ports: &[u16]) -> Value {
    let ports: Vec<Value> = ports.iter().map(|port| json!({"number": port})).collect();
    json!({
        "apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": app}}, "targetPorts": ports,
            "endpointPickerRef": {"name": "homing", "port": {"number": 9002}},
        },
    })
}
