//! Names of Services, for the hosts files of pods: each leads to one ready pod behind it, as there is no proxy.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use kube::api::DynamicObject;

use super::tables::{Kind, Tables};

/// Lines for pods of `namespace`, but for their own.
pub fn names(tables: &Tables, namespace: &str) -> String {
    let mut text = String::new();
    for service in tables.all(Kind::Service) {
        let name = service.metadata.name.as_deref().unwrap_or_default();
        let within = service.metadata.namespace.as_deref().unwrap_or_default();
        let Some(address) = address(tables, service, within) else { continue };
        let short = if within == namespace { format!(" {name}") } else { String::new() };
        // Who asks no search list ends the name with a dot.
        let full = format!("{name}.{within}.svc.cluster.local");
        let long = format!("{name}.{within} {name}.{within}.svc {full} {full}.");
        writeln!(text, "{address}{short} {long}").expect("a string takes text");
    }
    text
}

/// Replaces the hosts file of the pod whose folder this is, unless it is right.
pub fn write(folder: &Path, address: Ipv4Addr, name: &str, names: &str) {
    let (path, beside) = (folder.join("root/etc/hosts"), folder.join("root/etc/hosts.new"));
    let text = format!("127.0.0.1 localhost\n{address} {name}\n{names}");
    if fs::read_to_string(&path).is_ok_and(|before| before != text) {
        let written = fs::write(&beside, text).and_then(|()| fs::rename(beside, path));
        written.unwrap_or_else(|error| eprintln!("{name}: its hosts file: {error}"));
    }
}

/// The address of the first ready pod behind `service`.
fn address(tables: &Tables, service: &DynamicObject, namespace: &str) -> Option<String> {
    let pods = behind(tables, service, namespace);
    pods.filter_map(|pod| pod.data["status"]["podIP"].as_str()).min().map(str::to_owned)
}

/// The pods that `service` leads to, ready ones unless it says otherwise; none where it selects none.
pub fn behind<'a>(
    tables: &'a Tables,
    service: &'a DynamicObject,
    namespace: &'a str,
) -> impl Iterator<Item = &'a DynamicObject> {
    let selector = service.data["spec"]["selector"].as_object().filter(|selector| !selector.is_empty());
    let unready_too = service.data["spec"]["publishNotReadyAddresses"] == true;
    tables.all(Kind::Pod).filter(move |pod| {
        let (Some(selector), Some(labels)) = (selector, &pod.metadata.labels) else { return false };
        pod.metadata.namespace.as_deref() == Some(namespace)
            && selector.iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
            && (unready_too || is_ready(pod))
    })
}

/// Whether traffic may go to a pod.
pub fn is_ready(pod: &DynamicObject) -> bool {
    let mut conditions = pod.data["status"]["conditions"].as_array().into_iter().flatten();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
