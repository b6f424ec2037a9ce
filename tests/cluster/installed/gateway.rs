//! An Envoy that knows of pickers what a gateway does: the ready addresses of a Service.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::runtime::{reflector, watcher};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::node::{Cluster, Placed};
use crate::support::envoy::{Envoy, Options};
use crate::support::eventually;

/// How long gateways may take to learn of a change, and to tell their Envoys.
const LATE: Duration = Duration::from_secs(1);
/// How Envoy is to treat its pickers.
const EXAMPLE: &str = include_str!("../../../deploy/envoy/original-dst.yaml");
/// What is otherwise here: the pickers come and go.
const LOCAL: [&str; 3] = ["name", "type", "load_assignment"];
/// The chart's name for the picker's port.
const PORT: &str = "ext-proc";

/// A running gateway; dropping it ends it.
pub struct Gateway {
    pub envoy: Envoy,
    _follows: JoinSet<()>,
    _folder: TempDir,
}

impl Gateway {
    /// Starts one in front of the pods behind `service`, once one of them is ready.
    pub async fn start(cluster: &Cluster, service: &str) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let path = folder.path().join("pickers.json");
        let mut follows = JoinSet::new();
        follows.spawn(follow(cluster.api(), service.to_owned(), path.clone()));
        let known = async || fs::read_to_string(&path).ok()?.contains("port_value").then_some(());
        eventually("a picker is known", known).await;
        let options = Options { picker_cluster: pickers(&path), ..Options::default() };
        let envoy = Envoy::start_with(&options, &[], &[]).await;
        Self { envoy, _follows: follows, _folder: folder }
    }

    /// Waits until it sends to exactly these pods.
    pub async fn sends_to(&self, pods: &[Placed]) {
        let mut wanted: Vec<IpAddr> = pods.iter().map(|pod| pod.address.into()).collect();
        wanted.sort_unstable();
        eventually(&format!("Envoy sends to {wanted:?}"), async || {
            let pickers = self.envoy.pickers().await;
            let mut found: Vec<IpAddr> = pickers.iter().map(|picker| picker.address.ip()).collect();
            found.sort_unstable();
            (found == wanted && pickers.iter().all(|picker| picker.healthy)).then_some(())
        })
        .await;
    }
}

/// The pickers' cluster of the example, with addresses that are read from `path` whenever that is replaced.
fn pickers(path: &Path) -> Value {
    let document: Value = serde_saphyr::from_str(EXAMPLE).expect("the example is YAML");
    let clusters = document["static_resources"]["clusters"].as_array().expect("a list of clusters");
    let mut cluster = clusters.iter().find(|cluster| cluster["name"] == "homing").expect("the pickers").clone();
    cluster.as_object_mut().expect("a cluster has fields").retain(|name, _| !LOCAL.contains(&name.as_str()));
    cluster["type"] = json!("EDS");
    cluster["load_assignment"] = Value::Null;
    cluster["eds_cluster_config"] =
        json!({"eds_config": {"resource_api_version": "V3", "path_config_source": {"path": path}}});
    cluster
}

/// Keeps `path` equal to what the endpoint slices of `service` say, for ever.
async fn follow(slices: Api<EndpointSlice>, service: String, path: PathBuf) {
    let config = watcher::Config::default().labels(&format!("kubernetes.io/service-name={service}"));
    let (known, writer) = reflector::store();
    let mut events = reflector(writer, watcher::watcher(slices, config)).boxed();
    while let Some(event) = events.next().await {
        if let Err(error) = event {
            eprintln!("the endpoints of {service}: {error}");
        }
        // Whatever has happened in the meantime counts with it.
        sleep(LATE).await;
        publish(&path, &known.state());
    }
}

/// Replaces the file in one step, which is what Envoy waits for.
fn publish(path: &Path, slices: &[Arc<EndpointSlice>]) {
    let addresses = slices.iter().flat_map(|slice| addresses(slice));
    let endpoints: Vec<Value> = addresses
        .map(|address| {
            let socket = json!({"address": address.ip().to_string(), "port_value": address.port()});
            json!({"endpoint": {"address": {"socket_address": socket}}})
        })
        .collect();
    let document = json!({"resources": [{
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": "picker", "endpoints": [{"lb_endpoints": endpoints}],
    }]});
    let beside = path.with_extension("new");
    let written = fs::write(&beside, document.to_string()).and_then(|()| fs::rename(beside, path));
    written.unwrap_or_else(|error| eprintln!("{}: {error}", path.display()));
}

/// Where traffic may go. A pod that ends is left out, as most gateways do; the others only keep new streams from it.
fn addresses(slice: &EndpointSlice) -> Vec<SocketAddr> {
    let mut ports = slice.ports.iter().flatten();
    let port = ports.find(|port| port.name.as_deref() == Some(PORT)).and_then(|port| port.port);
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else { return Vec::new() };
    let usable = slice.endpoints.iter().filter(|endpoint| {
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        conditions.ready != Some(false) && conditions.terminating != Some(true)
    });
    let addresses = usable.flat_map(|endpoint| &endpoint.addresses);
    addresses.filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, port))).collect()
}
