//! What a node reads out of a pod.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::handle::Handle;
use super::images::Image;
use super::network::HOST;

/// What a pod can ask about itself, and what every container is told.
#[derive(Clone, Debug)]
pub struct Facts {
    pub pod: Pod,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub node: String,
    pub address: Ipv4Addr,
    pub host: Ipv4Addr,
    /// Variables that every container has.
    pub environment: Vec<(String, String)>,
}

/// Who a container is.
#[derive(Clone, Copy, Debug)]
pub struct User {
    pub user: u32,
    pub group: u32,
    /// Owns the files of volumes as well.
    pub files: Option<u32>,
}

/// When a container that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    Always,
    OnFailure,
    Never,
}

impl Facts {
    pub fn new(pod: Pod, handle: &Handle, address: Ipv4Addr) -> Self {
        let server = handle.shared.server;
        let environment = [
            ("HOSTNAME", handle.name.clone()),
            ("KUBERNETES_SERVICE_HOST", server.ip().to_string()),
            ("KUBERNETES_SERVICE_PORT", server.port().to_string()),
        ];
        Self {
            pod,
            namespace: handle.namespace.clone(),
            name: handle.name.clone(),
            uid: handle.uid.clone(),
            node: handle.shared.name.clone(),
            address,
            host: HOST,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        }
    }

    pub fn spec(&self) -> &PodSpec {
        self.pod.spec.as_ref().expect("a pod has a spec")
    }

    /// The one container.
    pub fn container(&self) -> &Container {
        &self.spec().containers[0]
    }

    pub fn restart(&self) -> Restart {
        match self.spec().restart_policy.as_deref() {
            Some("Never") => Restart::Never,
            Some("OnFailure") => Restart::OnFailure,
            _ => Restart::Always,
        }
    }

    /// The time that a container has to end, where nobody who deletes the pod says otherwise.
    pub fn grace(&self) -> Duration {
        seconds(self.spec().termination_grace_period_seconds.unwrap_or(30))
    }

    /// What `fieldRef` names.
    pub fn field(&self, path: &str) -> Result<String, String> {
        let metadata = &self.pod.metadata;
        Ok(match path {
            "metadata.name" => self.name.clone(),
            "metadata.namespace" => self.namespace.clone(),
            "metadata.uid" => self.uid.clone(),
            "metadata.labels" => listed(metadata.labels.as_ref()),
            "metadata.annotations" => listed(metadata.annotations.as_ref()),
            "spec.nodeName" => self.node.clone(),
            "spec.serviceAccountName" => self.spec().service_account_name.clone().unwrap_or_default(),
            "status.podIP" | "status.podIPs" => self.address.to_string(),
            "status.hostIP" | "status.hostIPs" => self.host.to_string(),
            _ => {
                let (map, key) = path.split_once("['").ok_or_else(|| format!("the node does not know {path}"))?;
                let map = match map {
                    "metadata.labels" => &metadata.labels,
                    "metadata.annotations" => &metadata.annotations,
                    _ => return Err(format!("the node does not know {path}")),
                };
                map.as_ref().and_then(|map| map.get(key.trim_end_matches("']"))).cloned().unwrap_or_default()
            }
        })
    }

    /// Who the container is; an error where that must not be root and is.
    pub fn user(&self, image: &Image) -> Result<User, String> {
        let (own, pods) = (self.container().security_context.as_ref(), self.spec().security_context.as_ref());
        let user = own.and_then(|own| own.run_as_user).or(pods.and_then(|pods| pods.run_as_user));
        let group = own.and_then(|own| own.run_as_group).or(pods.and_then(|pods| pods.run_as_group));
        let nonroot = own.and_then(|own| own.run_as_non_root).or(pods.and_then(|pods| pods.run_as_non_root));
        let id = |id: i64| u32::try_from(id).map_err(|error| format!("{id}: {error}"));
        let user = user.map_or(Ok(image.user), id)?;
        if nonroot == Some(true) && user == 0 {
            return Err("container has runAsNonRoot and image will run as root".to_owned());
        }
        let group = group.map_or(Ok(image.user), id)?;
        Ok(User { user, group, files: pods.and_then(|pods| pods.fs_group).map(id).transpose()? })
    }

    /// The number of a port that is given as a number or by the name that the container gives it.
    pub fn port(&self, port: &IntOrString) -> Result<u16, String> {
        let number = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => {
                let mut ports = self.container().ports.iter().flatten();
                let named = ports.find(|port| port.name.as_ref() == Some(name));
                named.ok_or_else(|| format!("no port of the container is called {name}"))?.container_port
            }
        };
        u16::try_from(number).map_err(|error| format!("port {number}: {error}"))
    }
}

/// A number of seconds of a spec.
pub fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.try_into().unwrap_or(0))
}

fn listed(map: Option<&BTreeMap<String, String>>) -> String {
    map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}\n")).collect()
}
