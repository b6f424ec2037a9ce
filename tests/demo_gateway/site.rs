//! What a user has before Homing comes: a cluster, engines, Envoy Gateway, a Gateway and a route.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::json;

use crate::applied;
use crate::gateway::envoy_gateway::{self, EnvoyGateway, PORT, ROUTE, TRAFFIC};
use crate::installed::release::Release;
use crate::kubernetes::ControlPlane;
use crate::node::images::Image;
use crate::node::{Cluster, Placed};
use crate::steps::Steps;
use crate::support::{Reply, body, post};

/// Where engines, Gateway, route and Homing are.
const NAMESPACE: &str = "llm";
/// Where Envoy Gateway and its Envoy are; its release and its GatewayClass have this name too.
pub const ENVOY_GATEWAY: &str = "envoy-gateway";
/// Homing and the engines.
pub const IMAGE: [&str; 2] = ["homing", "demo"];
/// The engines' label, Deployment, Service and route.
pub const ENGINES: &str = "llama";
const COUNT: usize = 6;

/// Where pods write what they say, once there is a node.
pub static LOGS: OnceLock<PathBuf> = OnceLock::new();

/// All that; it ends with this process and no sooner.
#[derive(Clone, Copy)]
pub struct Site {
    pub release: &'static Release,
    pub gateway: &'static EnvoyGateway,
}

impl Site {
    /// Starts it, and waits until requests get through.
    pub async fn start(steps: &mut Steps) -> Self {
        steps.take("Kubernetes: etcd, API server, controllers", ControlPlane::shared()).await;
        let release = steps.take("a node of processes", node()).await;
        let cluster = &release.cluster;
        cluster.apply(applied::ENGINES).await;
        steps.take("six simulated engines", engines(cluster)).await;
        steps.take("Envoy Gateway 1.9.1, by its chart", EnvoyGateway::control(release, ENVOY_GATEWAY, &[])).await;
        cluster.apply(applied::GATEWAY).await;
        let programmed = EnvoyGateway::programmed(cluster, ENVOY_GATEWAY);
        let gateway = steps.take("a Gateway, and the Envoy that Envoy Gateway starts for it", programmed).await;
        let site = Self { release, gateway: Box::leak(Box::new(gateway)) };
        steps.take("an HTTPRoute to the engines, round robin", site.route()).await;
        site
    }

    /// The API server's objects and pods.
    pub fn cluster(&self) -> &'static Cluster {
        &self.release.cluster
    }

    /// Where Envoy of the Gateway listens.
    pub fn address(&self) -> SocketAddr {
        (self.gateway.proxy.address, PORT).into()
    }

    /// Starts the engines anew, with empty caches, and waits until the gateway knows them.
    pub async fn restart_engines(&self) {
        self.cluster().restart(ENGINES).await;
        self.cluster().available(ENGINES).await;
        self.knows_engines().await;
    }

    /// The engines, by name.
    pub async fn engines(&self) -> Vec<Placed> {
        engines(self.cluster()).await
    }

    /// The name of its Envoy's cluster of engines.
    pub fn engines_cluster(&self) -> String {
        format!("httproute/{NAMESPACE}/{ENGINES}/rule/0")
    }

    /// Asks the gateway until it answers so often in a row with 200, and as wanted.
    pub async fn answer(&self, what: &str, times: usize, wanted: impl Fn(&Reply) -> bool) {
        let answers = async || {
            for _time in 0..times {
                self.ask().await.filter(&wanted)?;
            }
            Some(())
        };
        self.cluster().eventually(what, answers).await;
    }

    /// One answer, with 200.
    async fn ask(&self) -> Option<Reply> {
        let question = json!({"messages": [{"role": "user", "content": "Are you there?"}], "max_tokens": 1});
        let request = post("/v1/chat/completions", body::full(question.to_string()));
        let reply = Reply::to(self.address(), request).await?;
        (reply.status == 200).then_some(reply)
    }

    async fn route(&self) {
        // First the policy, so that there is no moment without it.
        self.cluster().apply(applied::ROUND_ROBIN).await;
        self.cluster().apply(applied::ROUTE).await;
        envoy_gateway::accepted(self.cluster(), ROUTE, ENGINES).await;
        envoy_gateway::accepted(self.cluster(), TRAFFIC, "round-robin").await;
        self.knows_engines().await;
        self.answer("an engine answers through the gateway", 1, |reply| !reply.served_by().is_empty()).await;
    }

    async fn knows_engines(&self) {
        self.gateway.sends_to(self.release, &self.engines_cluster(), &self.engines().await).await;
    }
}

async fn node() -> &'static Release {
    let images = envoy_gateway::images().with(&IMAGE.join(":"), Image::homing());
    let enforced = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let mut cluster = Cluster::named(NAMESPACE.to_owned(), images, enforced).await;
    LOGS.get_or_init(|| cluster.logs());
    cluster.add_namespace(ENVOY_GATEWAY, json!({})).await;
    Box::leak(Box::new(Release::beside(cluster, Vec::new()).await))
}

async fn engines(cluster: &Cluster) -> Vec<Placed> {
    cluster.ready(&format!("app={ENGINES}"), COUNT).await
}
