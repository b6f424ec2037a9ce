//! What is kept of a pod: some hundred bytes of the kilobytes that the API server sends.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::template::Template;

/// Ports that take requests now, by a comma list; first the name that counts if both are there.
const ACTIVE_PORTS: [&str; 2] = ["llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports"];
/// Its share relative to other pods; 0 or less takes it out.
const WEIGHT: &str = "homing.dev/weight";
/// `true`: takes no new sessions.
const DRAIN: &str = "homing.dev/drain";

/// A pod, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// Its name, unique in its namespace at any moment.
    pub name: Arc<str>,
    /// Unique for ever.
    pub uid: Arc<str>,
    /// What it was made of, where a controller made it.
    pub template: Option<Template>,
    /// Its address, once it has one.
    pub address: Option<IpAddr>,
    /// Its condition Ready is True.
    pub ready: bool,
    /// It was deleted, and may still run to the end of its grace period.
    pub deleting: bool,
    /// All its containers have ended for good; its address may be another's by now.
    pub finished: bool,
    /// Its containers.
    pub containers: Vec<Container>,
    /// The annotation that names the ports which take requests.
    pub active_ports: Option<String>,
    /// The annotation `homing.dev/weight`.
    pub weight: Option<String>,
    /// The annotation `homing.dev/drain`.
    pub drain: Option<String>,
}

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Ports that it declares.
    pub ports: Vec<u16>,
    /// How often it was started again.
    pub restarts: u32,
    /// It runs beside the others, such as a proxy in front of the engine.
    pub sidecar: bool,
}

impl Pod {
    /// Reads a pod as the API server sends it.
    pub fn read(pod: core::Pod) -> Self {
        let (metadata, spec, status) = (pod.metadata, pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
        let mut annotations = metadata.annotations.unwrap_or_default();
        let containers = containers(&spec, &status);
        let labels = metadata.labels.unwrap_or_default();
        let created = metadata.creation_timestamp.map(|time| time.0.as_second());
        let template = Template::read(&labels, metadata.owner_references.as_deref().unwrap_or_default(), created);
        let is_ready = |condition: &core::PodCondition| condition.type_ == "Ready" && condition.status == "True";
        Self {
            name: metadata.name.unwrap_or_default().into(),
            uid: metadata.uid.unwrap_or_default().into(),
            template,
            address: address(&status),
            ready: status.conditions.iter().flatten().any(is_ready),
            deleting: metadata.deletion_timestamp.is_some(),
            finished: matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")),
            containers,
            active_ports: ACTIVE_PORTS.iter().find_map(|name| annotations.remove(*name)),
            weight: annotations.remove(WEIGHT),
            drain: annotations.remove(DRAIN),
        }
    }

    /// Restarts that end what an engine behind `port` has cached: those of the container that owns the port.
    ///
    /// Where no main container declares it (none has to), or a proxy beside them does, the engine may be any of
    /// them, and so a restart of any counts.
    pub fn restarts(&self, port: u16) -> u32 {
        let owner = self.containers.iter().find(|container| container.ports.contains(&port));
        match owner.filter(|owner| !owner.sidecar) {
            Some(owner) => owner.restarts,
            None => self.containers.iter().map(|container| container.restarts).sum(),
        }
    }
}

fn containers(spec: &core::PodSpec, status: &core::PodStatus) -> Vec<Container> {
    let stays = |container: &&core::Container| container.restart_policy.as_deref() == Some("Always");
    let main = spec.containers.iter().map(|container| (container, false));
    let sidecars = spec.init_containers.iter().flatten().filter(stays).map(|container| (container, true));
    let statuses = || status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    main.chain(sidecars)
        .map(|(container, sidecar)| {
            let status = statuses().find(|status| status.name == container.name);
            let ports = container.ports.iter().flatten().filter_map(|port| u16::try_from(port.container_port).ok());
            Container {
                ports: ports.collect(),
                restarts: status.map_or(0, |status| u32::try_from(status.restart_count).unwrap_or(0)),
                sidecar,
            }
        })
        .collect()
}

/// `podIP`, else the first of `podIPs`, which begin with the cluster's primary family.
fn address(status: &core::PodStatus) -> Option<IpAddr> {
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    status.pod_ip.as_deref().into_iter().chain(all).find_map(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(pod: Value) -> Pod {
        Pod::read(serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn a_pod_is_read_with_all_that_matters() {
        let pod = read(json!({
            "metadata": {
                "name": "llama-0", "uid": "u-1", "labels": {"app": "llama", "pod-template-hash": "7d9f"},
                "creationTimestamp": "1970-01-01T00:01:40Z",
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "llama-7d9f", "uid": "u", "controller": true},
                ],
                "deletionTimestamp": "2026-11-21T10:00:00Z",
                "annotations": {
                    "homing.dev/weight": "2", "homing.dev/drain": "true", "other": "x",
                    "inference.networking.k8s.io/active-ports": "8000", "llm-d.ai/active-ports": "",
                },
            },
            "spec": {"containers": [{"name": "engine", "ports": [{"containerPort": 8000}]}]},
            "status": {
                "phase": "Running", "podIP": "10.0.0.7",
                "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    {"name": "engine", "restartCount": 3, "ready": true, "image": "i", "imageID": "i"},
                ],
            },
        }));
        let container = Container { ports: vec![8000], restarts: 3, sidecar: false };
        assert_eq!((&*pod.name, &*pod.uid, pod.ready, pod.deleting), ("llama-0", "u-1", true, true));
        assert_eq!(pod.address, Some([10, 0, 0, 7].into()));
        assert_eq!(pod.containers, [container]);
        let template = Template { workload: "ReplicaSet/llama".into(), hash: "7d9f".into(), created: 100 };
        assert_eq!(pod.template, Some(template));
        assert_eq!(pod.active_ports.as_deref(), Some(""), "the newer name counts, even where it is empty");
        assert_eq!((pod.weight.as_deref(), pod.drain.as_deref()), (Some("2"), Some("true")));
    }

    #[test]
    fn labels_that_tell_no_template_change_nothing_of_a_pod() {
        let pod = |labels| read(json!({"metadata": {"name": "llama-0", "labels": labels}}));
        assert_eq!(pod(json!({"app": "llama", "team": "a"})), pod(json!({"app": "llama", "team": "b"})));
    }

    #[test]
    fn the_address_is_the_first_that_can_be_read() {
        for (status, address) in [
            (json!({}), None),
            (json!({"podIP": "fd00::7"}), Some("fd00::7")),
            (json!({"podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}]}), Some("10.0.0.7")),
            (json!({"podIP": "", "podIPs": [{"ip": "fd00::7"}]}), Some("fd00::7")),
        ] {
            let pod = read(json!({"metadata": {}, "status": status}));
            assert_eq!(pod.address, address.map(|text| text.parse().expect("an address")), "{status}");
        }
    }

    #[test]
    fn a_port_counts_the_restarts_of_the_container_that_owns_it() {
        let status = |name: &str, restarts: u32| json!({"name": name, "restartCount": restarts, "ready": true, "image": "i", "imageID": "i"});
        let pod = read(json!({
            "metadata": {},
            "spec": {
                "containers": [
                    {"name": "engine", "ports": [{"containerPort": 8000}]},
                    {"name": "metrics", "ports": [{"containerPort": 9000}]},
                ],
                "initContainers": [
                    {"name": "download"},
                    {"name": "proxy", "restartPolicy": "Always", "ports": [{"containerPort": 8080}]},
                ],
            },
            "status": {
                "containerStatuses": [status("metrics", 5), status("engine", 2)],
                "initContainerStatuses": [status("download", 9), status("proxy", 1)],
            },
        }));
        assert_eq!([8000, 9000].map(|port| pod.restarts(port)), [2, 5]);
        assert_eq!(pod.restarts(7000), 8, "nobody declares it: any restart counts");
        assert_eq!(pod.restarts(8080), 8, "a proxy says nothing of the engine behind it");
    }
}
