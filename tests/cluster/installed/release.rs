//! A release of the chart, and the engines that it routes to.

use std::panic::resume_unwind;
use std::sync::Arc;

use super::gateway::Gateway;
use crate::chart::helm::{Helm, chart};
use crate::kubernetes::ControlPlane;
use crate::node::site::{ADMIN, engines_of};
use crate::node::{Cluster, Placed};

/// What the chart calls all that it makes of release `rel`.
pub const NAME: &str = "rel-homing";
/// The labels of its pods.
pub const PODS: &str = "app.kubernetes.io/name=homing,app.kubernetes.io/instance=rel";
/// The same of release `homing`, as pages of the documentation call it.
pub const HOMING_PODS: &str = "app.kubernetes.io/name=homing,app.kubernetes.io/instance=homing";
/// What every release here is given: the image of this machine, and a pool of the engines.
const VALUES: [&str; 4] =
    ["image.repository=homing", "image.tag=test", "pool.create=true", "engines.selector.app=engine"];
/// How long Helm waits until what it did is done.
const WAIT: [&str; 3] = ["--wait", "--timeout", "3m"];

/// A namespace with engines, in which release `rel` is installed or can be.
pub struct Release {
    pub cluster: Cluster,
    pub engines: Vec<Placed>,
    helm: Arc<Helm>,
}

impl Release {
    /// Only the engines.
    pub async fn of(engines: usize) -> Self {
        Self::on(Cluster::restricted().await, engines, &[]).await
    }

    /// The same in a cluster that is there, with flags of the engines and their values.
    pub async fn on(cluster: Cluster, engines: usize, arguments: &[&str]) -> Self {
        let mut deployment = engines_of(engines, None);
        let known = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array_mut();
        let known = known.expect("engines have arguments");
        for pair in arguments.chunks(2) {
            if let Some(at) = known.iter().position(|word| *word == pair[0]) {
                known.drain(at..at + 2);
            }
            known.extend(pair.iter().map(|&word| word.into()));
        }
        cluster.apply_object(deployment).await;
        let engines = cluster.ready("app=engine", engines).await;
        Self::beside(cluster, engines).await
    }

    /// The same where the engines are there.
    pub async fn beside(cluster: Cluster, engines: Vec<Placed>) -> Self {
        let kubeconfig = ControlPlane::shared().await.admin_kubeconfig(&cluster.namespace);
        Self { cluster, engines, helm: Arc::new(Helm::at(&kubeconfig)) }
    }

    /// `helm install`, until all is ready.
    pub async fn install(&self, values: &[&str]) {
        let chart = chart();
        let command = ["install", "rel", chart.to_str().expect("a plain path")];
        self.helm(&[&command[..], &WAIT, &set(&VALUES), &set(values)].concat()).await;
    }

    /// `helm upgrade` that changes these values and no other, until all is ready.
    pub async fn upgrade(&self, values: &[&str]) {
        let chart = chart();
        let command = ["upgrade", "rel", chart.to_str().expect("a plain path"), "--reset-then-reuse-values"];
        self.helm(&[&command[..], &WAIT, &set(values)].concat()).await;
    }

    /// Any command of Helm in the release's namespace; what it prints.
    pub async fn helm(&self, arguments: &[&str]) -> String {
        self.helm_in(&self.cluster.namespace, arguments).await
    }

    /// The same in another namespace.
    pub async fn helm_in(&self, namespace: &str, arguments: &[&str]) -> String {
        self.with_helm(namespace, arguments, |helm, arguments| helm.run(arguments)).await
    }

    /// The same for one that must fail; what it says.
    pub async fn refusal(&self, arguments: &[&str]) -> String {
        self.with_helm(&self.cluster.namespace, arguments, |helm, arguments| helm.refusal(arguments)).await
    }

    async fn with_helm(&self, namespace: &str, arguments: &[&str], run: fn(&Helm, &[String]) -> String) -> String {
        let namespace = ["--namespace", namespace];
        let arguments: Vec<String> = arguments.iter().chain(&namespace).map(|&word| word.to_owned()).collect();
        let helm = Arc::clone(&self.helm);
        // The node is at work on this thread.
        let ran = tokio::task::spawn_blocking(move || run(&helm, &arguments)).await;
        // It has told why.
        ran.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
    }

    /// Homing's replicas, once there are exactly so many and all are ready.
    pub async fn replicas(&self, count: usize) -> Vec<Placed> {
        self.cluster.available(NAME).await;
        self.cluster.ready(PODS, count).await
    }

    /// A gateway that sends to these replicas.
    pub async fn gateway(&self, replicas: &[Placed]) -> Gateway {
        let gateway = Gateway::start(&self.cluster, NAME).await;
        gateway.sends_to(replicas).await;
        gateway
    }

    /// How often a replica has picked.
    pub async fn picks(&self, replica: &Placed) -> f64 {
        let page = self.cluster.page(&replica.name, 9090, "/metrics").await.ok();
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let series = page.lines().filter(|line| line.starts_with("homing_picks_total{"));
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// Requests that a replica has booked.
    pub async fn in_flight(&self, replica: &Placed) -> u64 {
        let page = self.cluster.page(&replica.name, ADMIN, "/endpoints").await.ok().json();
        let endpoints = page.as_array().expect("an array of endpoints").iter();
        endpoints.filter_map(|endpoint| endpoint["inFlight"].as_u64()).sum()
    }

    /// The weight of a scorer that is in force in a replica.
    pub async fn weight(&self, replica: &Placed, scorer: &str) -> f64 {
        let config = self.cluster.page(&replica.name, ADMIN, "/config").await.ok().json();
        config["scorers"][scorer]["weight"].as_f64().expect("a weight")
    }
}

/// `--set` for each.
pub fn set<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| ["--set", value]).collect()
}
