//! Homing attached to Envoy Gateway, with nothing but what the chart renders.

use std::net::SocketAddr;

use serde_json::json;

use super::envoy_gateway::{self, EXTENSION, EnvoyGateway, PORT, ROUTE, TRAFFIC};
use crate::installed::release::{NAME, Release};
use crate::node::{Cluster, Placed};
use crate::support::{Connection, Protocol, Reply};

pub const ENGINES: usize = 3;
pub const REPLICAS: usize = 2;
/// The values with which it is attached; a user has the same and the image of a registry.
const ATTACH: [&str; 6] = [
    "replicas=2",
    "gateway=envoyGateway",
    "httpRoute.enabled=true",
    "httpRoute.parentRefs[0].name=inference-gateway",
    // The other tests of releases have a pool; here it is not needed.
    "pool.create=false",
    "picker.explainHeader=true",
];

/// Engines, Homing and a gateway that asks it.
pub struct Attached {
    pub release: Release,
    pub gateway: EnvoyGateway,
    /// Homing's.
    pub replicas: Vec<Placed>,
}

impl Attached {
    /// Starts three engines with these arguments and two replicas with these values, and waits until the gateway knows
    /// all.
    pub async fn start(arguments: &[&str], values: &[&str]) -> Self {
        let enforced = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let mut cluster = Cluster::with(envoy_gateway::images(), enforced).await;
        let namespace = envoy_gateway::add_namespace(&mut cluster).await;
        let release = Release::on(cluster, ENGINES, arguments).await;
        let gateway = EnvoyGateway::install(&release, &namespace).await;
        release.install(&[&ATTACH[..], values].concat()).await;
        let replicas = release.replicas(if values.contains(&"replicas=1") { 1 } else { REPLICAS }).await;
        let attached = Self { release, gateway, replicas };
        attached.accepted().await;
        attached.sends_to(&attached.replicas, &attached.release.engines).await;
        attached
    }

    /// Where clients send their requests.
    pub fn address(&self) -> SocketAddr {
        (self.gateway.proxy.address, PORT).into()
    }

    /// The value of one of its Envoy's counters or gauges of the cluster of pickers, or of engines.
    pub async fn stat(&self, cluster: &str, name: &str) -> u64 {
        self.gateway.stat(&self.release, &format!("cluster.{cluster}.{name}")).await
    }

    /// The name of its Envoy's cluster of Homing's replicas.
    pub fn pickers(&self) -> String {
        format!("envoyextensionpolicy/{}/{NAME}/extproc/0", self.release.cluster.namespace)
    }

    /// The same of the engines.
    pub fn engines(&self) -> String {
        format!("httproute/{}/{NAME}/rule/0", self.release.cluster.namespace)
    }

    /// A client's connection.
    pub async fn connect(&self, protocol: Protocol) -> Connection {
        Connection::open(self.address(), protocol).await.expect("the gateway listens")
    }

    /// Waits until Envoy Gateway has taken the route and both policies.
    async fn accepted(&self) {
        for kind in [ROUTE, EXTENSION, TRAFFIC] {
            envoy_gateway::accepted(&self.release.cluster, kind, NAME).await;
        }
    }

    /// Waits until the health checks of its Envoy have found all replicas well. Where Envoy heard of one before that
    /// listened, and had sent nothing yet, this takes a minute.
    pub async fn all_are_well(&self) {
        let pickers = self.pickers();
        let well = async || {
            let hosts = self.gateway.hosts(&self.release, &pickers).await;
            hosts.iter().all(|host| host.healthy).then_some(())
        };
        self.release.cluster.eventually("the health checks find all replicas well", well).await;
    }

    /// Waits until its Envoy sends to exactly these replicas of Homing and these engines.
    pub async fn sends_to(&self, replicas: &[Placed], engines: &[Placed]) {
        for (name, pods) in [(self.pickers(), replicas), (self.engines(), engines)] {
            self.gateway.sends_to(&self.release, &name, pods).await;
        }
    }
}

/// The engine that Homing says it picked, and why.
pub fn picked(reply: &Reply) -> (&str, &str) {
    reply.picked().unwrap_or_else(|| panic!("{:?} name no pick", reply.headers))
}
