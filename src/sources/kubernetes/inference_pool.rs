//! InferencePool v1, as far as it is read here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

/// The `appProtocol` of engines that speak HTTP/2 without TLS.
const H2C: &str = "kubernetes.io/h2c";

/// Which pods make a pool, and where they listen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec {
    /// Labels that a pod must have.
    pub selector: BTreeMap<String, String>,
    /// Ports of a pod, each an endpoint; their order gives the rank.
    pub ports: Vec<u16>,
    /// Whether they speak HTTP/2 without TLS.
    pub http2: bool,
}

/// A pool that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub uid: Arc<str>,
    pub spec: Spec,
}

/// Whom a pool names as its picker. Homing never needs it; gateways may.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PickerRef {
    /// Its kind; empty is a Service.
    pub kind: String,
    /// Its name, in the pool's namespace.
    pub name: String,
    /// The port of the Service.
    pub port: Option<PickerPort>,
}

/// The port of a picker's Service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PickerPort {
    /// Its number.
    pub number: u16,
}

/// The object on the API server.
#[derive(Clone, Debug, Deserialize)]
pub struct InferencePool {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: PoolSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PoolSpec {
    selector: LabelSelector,
    target_ports: Vec<TargetPort>,
    /// Definitions from before v1.4 do not have it.
    app_protocol: Option<String>,
    endpoint_picker_ref: Option<PickerRef>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LabelSelector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
struct TargetPort {
    number: u16,
}

impl InferencePool {
    /// Whom it names as its picker.
    pub fn picker(&self) -> Option<PickerRef> {
        self.spec.endpoint_picker_ref.clone()
    }

    /// What is read of it.
    pub fn read(self) -> Pool {
        let PoolSpec { selector, target_ports, app_protocol, endpoint_picker_ref: _ } = self.spec;
        let spec = Spec {
            selector: selector.match_labels,
            ports: target_ports.iter().map(|port| port.number).filter(|port| *port > 0).collect(),
            http2: app_protocol.as_deref() == Some(H2C),
        };
        Pool { uid: self.metadata.uid.unwrap_or_default().into(), spec }
    }
}

impl kube::Resource for InferencePool {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "InferencePool".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "inference.networking.k8s.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "inferencepools".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_needed_is_read_and_nothing_of_it_is_required() {
        let pool: InferencePool = serde_json::from_value(json!({
            "apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool",
            "metadata": {"name": "llama", "uid": "u-1"},
            "spec": {
                "selector": {"matchLabels": {"app": "llama"}},
                "targetPorts": [{"number": 8000}, {"number": 8001}],
                "appProtocol": "kubernetes.io/h2c",
                "endpointPickerRef": {"name": "homing", "port": {"number": 9002}},
                "somethingNew": {"of": "a later version"},
            },
            "status": {"parents": []},
        }))
        .expect("a pool");
        let picker = pool.picker().expect("a picker is named");
        assert_eq!((&*picker.kind, &*picker.name, picker.port), ("", "homing", Some(PickerPort { number: 9002 })));
        let Pool { uid, spec } = pool.read();
        assert_eq!(&*uid, "u-1");
        assert_eq!((spec.ports, spec.http2), (vec![8000, 8001], true));
        assert_eq!(spec.selector["app"], "llama");

        let bare: InferencePool = serde_json::from_value(json!({"metadata": {"uid": "u-2"}})).expect("a pool");
        assert_eq!(bare.picker(), None);
        assert_eq!(bare.read().spec, Spec::default());
    }
}
