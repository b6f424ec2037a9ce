//! Envoy Gateway, installed by its chart in a namespace of its own, and the Envoy that it starts for one Gateway.

use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::chart::site::{define, definitions_folder};
use crate::installed::release::{Release, set};
use crate::kubernetes::control_plane::parts;
use crate::node::images::{Image, Images};
use crate::node::{Cluster, Placed};
use crate::support::envoy::{self, Host};

/// The image of Envoy Gateway, as [`HERE`] names it.
const IMAGE: &str = "envoy-gateway:test";
/// What runs as Envoy; Envoy Gateway's own choice is 1.39.1.
const PROXY: &str = "envoy:test";
/// The projects whose definitions it needs.
const PROJECTS: [&str; 2] = ["gateway-api", "envoy-gateway"];
/// The Gateway's name, and where its Envoy listens: a container may not listen on port 80.
pub const GATEWAY: &str = "inference-gateway";
pub const PORT: u16 = 10_080;
/// Of its Envoy, on the pod's loopback address.
const ADMIN: u16 = 19_000;
/// Its chart's values here: the definitions are there, the injector is a webhook that would hear of every pod of all
/// tests, and tests are in a hurry.
pub const HERE: [&str; 5] = [
    "crds.enabled=false",
    "topologyInjector.enabled=false",
    "deployment.envoyGateway.readinessProbe.periodSeconds=1",
    "deployment.envoyGateway.image.repository=envoy-gateway",
    "deployment.envoyGateway.image.tag=test",
];

/// What a client attaches to its Gateway.
pub const ROUTE: (&str, &str, &str) = ("gateway.networking.k8s.io", "v1", "HTTPRoute");
pub const EXTENSION: (&str, &str, &str) = ("gateway.envoyproxy.io", "v1alpha1", "EnvoyExtensionPolicy");
pub const TRAFFIC: (&str, &str, &str) = ("gateway.envoyproxy.io", "v1alpha1", "BackendTrafficPolicy");

/// An Envoy Gateway that has programmed an Envoy.
pub struct EnvoyGateway {
    /// Where it and its Envoy run.
    pub namespace: String,
    pub proxy: Placed,
}

/// The node's images, with those of Envoy Gateway.
pub fn images() -> Images {
    Images::standard()
        .with(IMAGE, Image::program(folder().join("envoy-gateway"), "envoy-gateway"))
        .with(PROXY, Image::program(envoy::binary(None), "envoy"))
}

/// A namespace for it that the cluster's node looks after.
pub async fn add_namespace(cluster: &mut Cluster) -> String {
    let name = format!("gateway-of-{}", cluster.namespace);
    cluster.add_namespace(&name, json!({})).await;
    name
}

impl EnvoyGateway {
    /// What its Envoy says of the hosts of one cluster.
    pub async fn hosts(&self, release: &Release, cluster: &str) -> Vec<Host> {
        envoy::hosts(&self.page(release, "/clusters?format=json").await, cluster)
    }

    /// The value of one of its Envoy's counters or gauges; zero where there is none.
    pub async fn stat(&self, release: &Release, name: &str) -> u64 {
        let page = self.page(release, "/stats").await;
        let mut lines = page.lines().filter_map(|line| line.rsplit_once(": "));
        lines.find(|(known, _)| *known == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }

    /// A page of its Envoy's admin port.
    pub async fn page(&self, release: &Release, path: &str) -> String {
        let page = release.cluster.page_in(&self.namespace, &self.proxy.name, ADMIN, path).await;
        String::from_utf8_lossy(&page.ok().body).into_owned()
    }

    /// Installs it in `namespace`, and makes a Gateway in the release's.
    pub async fn install(release: &Release, namespace: &str) -> Self {
        Self::install_with(release, namespace, &[]).await
    }

    /// The same with values of its chart.
    pub async fn install_with(release: &Release, namespace: &str, more: &[&str]) -> Self {
        Self::control(release, namespace, more).await;
        release.cluster.apply_object(gateway(namespace)).await;
        Self::programmed(&release.cluster, namespace).await
    }

    /// Installs it with values of its chart, and a GatewayClass of the same name as its namespace.
    pub async fn control(release: &Release, namespace: &str, more: &[&str]) {
        let cluster = &release.cluster;
        define_all(cluster).await;
        let (chart, controller) = (chart(), controller(namespace));
        let command = ["install", namespace, chart.to_str().expect("a plain path"), "--wait", "--timeout", "3m"];
        let named = format!("config.envoyGateway.gateway.controllerName={controller}");
        release.helm_in(namespace, &[&command[..], &set(&HERE), &set(&[&named]), &set(more)].concat()).await;
        for object in class(namespace) {
            cluster.apply_object(object).await;
        }
    }

    /// Waits until the Gateway is programmed.
    pub async fn programmed(cluster: &Cluster, namespace: &str) -> Self {
        let proxy = programmed(cluster, namespace).await;
        Self { namespace: namespace.to_owned(), proxy }
    }

    /// Waits until its Envoy sends what is for one of its clusters to exactly these pods.
    pub async fn sends_to(&self, release: &Release, name: &str, pods: &[Placed]) {
        let mut wanted: Vec<IpAddr> = pods.iter().map(|pod| pod.address.into()).collect();
        wanted.sort_unstable();
        let sends = async || {
            let mut hosts = self.hosts(release, name).await;
            hosts.retain(|host| host.ready);
            let mut found: Vec<IpAddr> = hosts.iter().map(|host| host.address.ip()).collect();
            found.sort_unstable();
            (found == wanted).then_some(())
        };
        release.cluster.eventually(&format!("{name} is {wanted:?}"), sends).await;
    }
}

/// Waits until Envoy Gateway has taken a route or a policy.
pub async fn accepted(cluster: &Cluster, kind: (&str, &str, &str), name: &str) {
    let api = objects(cluster, kind);
    let by = if kind.2 == "HTTPRoute" { "parents" } else { "ancestors" };
    let accepted = |of: &Value| {
        let mut conditions = of["conditions"].as_array().into_iter().flatten();
        conditions.any(|met| met["type"] == "Accepted" && met["status"] == "True")
    };
    cluster
        .eventually(&format!("the {} is accepted by {GATEWAY}", kind.2), async || {
            let found = api.get(name).await.ok()?;
            let told = found.data["status"][by].as_array()?;
            (!told.is_empty() && told.iter().all(accepted)).then_some(())
        })
        .await;
}

/// How its Envoy runs here, behind a Service of this type.
pub fn proxy_spec(service: &str) -> Value {
    // Tests are in a hurry.
    let hurried = json!({"periodSeconds": 1});
    // The node runs one container a pod: this takes out the one that drains Envoy where its pod ends, and its hook.
    let without_drain = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "envoy", "lifecycle": null, "startupProbe": hurried, "readinessProbe": hurried},
        {"name": "shutdown-manager", "$patch": "delete"},
    ]}}}});
    json!({"provider": {"type": "Kubernetes", "kubernetes": {
        "envoyDeployment": {
            "container": {"image": PROXY}, "patch": {"type": "StrategicMerge", "value": without_drain},
        },
        "envoyService": {"type": service},
    }}})
}

/// What it calls itself, so that it leaves the Gateways of others alone.
fn controller(namespace: &str) -> String {
    format!("gateway.envoyproxy.io/{namespace}")
}

/// Its GatewayClass, and how Envoys of that run.
pub fn class(namespace: &str) -> [Value; 2] {
    let settings =
        json!({"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "here", "namespace": namespace});
    [
        json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyProxy",
            "metadata": {"name": "here", "namespace": namespace}, "spec": proxy_spec("ClusterIP"),
        }),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": namespace},
            "spec": {"controllerName": controller(namespace), "parametersRef": settings},
        }),
    ]
}

fn gateway(class: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": GATEWAY},
        "spec": {"gatewayClassName": class, "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
    })
}

/// Waits until the Gateway is programmed; the pod of its Envoy.
async fn programmed(cluster: &Cluster, namespace: &str) -> Placed {
    let api = objects(cluster, ("gateway.networking.k8s.io", "v1", "Gateway"));
    cluster
        .eventually("the Gateway is programmed", async || {
            let found = api.get(GATEWAY).await.ok()?;
            let mut conditions = found.data["status"]["conditions"].as_array()?.iter();
            conditions.any(|met| met["type"] == "Programmed" && met["status"] == "True").then_some(())
        })
        .await;
    let selector = format!("gateway.envoyproxy.io/owning-gateway-name={GATEWAY}");
    cluster.ready_in(namespace, &selector, 1).await.remove(0)
}

/// Objects of a kind in the cluster's own namespace.
pub fn objects(cluster: &Cluster, kind: (&str, &str, &str)) -> Api<DynamicObject> {
    let (group, version, kind) = kind;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource)
}

/// Sees to it that the API server knows all kinds that it needs.
pub async fn define_all(cluster: &Cluster) {
    static DEFINED: OnceCell<()> = OnceCell::const_new();
    DEFINED.get_or_init(|| async { define(&cluster.client, &definitions()).await }).await;
}

/// Its chart.
pub fn chart() -> PathBuf {
    folder().join("chart")
}

/// All definitions of its projects.
fn definitions() -> Vec<String> {
    let of = |project: &'static str| {
        let files = fs::read_dir(definitions_folder().join(project)).expect("definitions can be listed");
        files.flatten().filter_map(move |file| Some(format!("{project}/{}", file.path().file_stem()?.to_str()?)))
    };
    PROJECTS.into_iter().flat_map(of).collect()
}

/// The real Envoy Gateway and its chart; `scripts/parts/envoy-gateway` builds it.
pub fn folder() -> PathBuf {
    let named = env::var_os("HOMING_ENVOY_GATEWAY").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| parts().join("envoy-gateway-1.9.1"));
    let built = Path::new(&folder).join("envoy-gateway").is_file();
    assert!(built, "no Envoy Gateway at {}: run scripts/parts/envoy-gateway", folder.display());
    folder
}
