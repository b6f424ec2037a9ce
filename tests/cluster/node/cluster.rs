//! A namespace whose pods run, and what tests do with it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::container;
use super::images::Images;
use super::keeper::Keeper;
use crate::kubernetes::ControlPlane;
use crate::kubernetes::control_plane::program;
use crate::support::wait::patiently;
use crate::support::{Connection, Protocol, Reply, get, within};

/// A rollout of several pods, with probes that are seconds apart, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Lines of a pod's log that a failed test shows.
const SHOWN: usize = 30;

/// A namespace with a node of its own; dropping it kills what runs there.
pub struct Cluster {
    pub namespace: String,
    plane: &'static ControlPlane,
    pub client: kube::Client,
    keeper: Keeper,
}

/// A pod that has an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    pub name: String,
    pub uid: String,
    pub address: Ipv4Addr,
    pub ready: bool,
    /// It is being deleted.
    pub ending: bool,
    pub restarts: i32,
    pub phase: String,
}

impl Cluster {
    /// A new namespace on the control plane that all tests share.
    pub async fn start() -> Self {
        Self::with(Images::standard(), json!({})).await
    }

    /// The same, where the restricted profile of pod security is enforced.
    pub async fn restricted() -> Self {
        Self::with(Images::standard(), json!({"pod-security.kubernetes.io/enforce": "restricted"})).await
    }

    /// The same with images and with labels of the namespace.
    pub async fn with(images: Images, labels: Value) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        Self::named(format!("cluster-{}", NEXT.fetch_add(1, Ordering::Relaxed)), images, labels).await
    }

    /// The same with a name that no other has.
    pub async fn named(namespace: String, images: Images, labels: Value) -> Self {
        let plane = ControlPlane::shared().await;
        plane.with_controllers().await;
        let client = plane.client();
        let keeper = Keeper::start(&format!("node-of-{namespace}"), client.clone(), plane.address(), images).await;
        let mut cluster = Self { namespace: namespace.clone(), plane, client, keeper };
        cluster.add_namespace(&namespace, labels).await;
        cluster
    }

    /// One more namespace whose pods this node runs.
    pub async fn add_namespace(&mut self, name: &str, labels: Value) {
        let labels = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.apply_object(labels).await;
        // A controller would make it in a moment; tests do not wait.
        self.apply_object(json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name},
        }))
        .await;
        self.keeper.take(name);
    }

    /// From now on this node runs the pods of a namespace that somebody else makes.
    pub fn adopt(&mut self, name: &str) {
        self.keeper.take(name);
    }

    /// Applies objects of any kind, in YAML; those without a namespace go into the cluster's own.
    pub async fn apply(&self, yaml: &str) {
        for document in yaml.split("\n---") {
            let object: Value = serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
            if !object.is_null() {
                self.apply_object(object).await;
            }
        }
    }

    /// Applies one object.
    pub async fn apply_object(&self, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).expect("an object of Kubernetes");
        let name = object.metadata.name.clone().expect("an object has a name");
        let api = self.api_of(&object).await;
        let patched = api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await;
        patched.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    async fn api_of(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let kind = GroupVersionKind::try_from(object.types.as_ref().expect("an object has a kind")).expect("a kind");
        let found = within("a kind is found", discovery::pinned_kind(&self.client, &kind)).await;
        let (resource, capabilities) = found.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        match (capabilities.scope, &object.metadata.namespace) {
            (Scope::Cluster, _) => Api::all_with(self.client.clone(), &resource),
            (Scope::Namespaced, Some(other)) => Api::namespaced_with(self.client.clone(), other, &resource),
            (Scope::Namespaced, None) => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
        }
    }

    /// Objects of one kind in the cluster's own namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits, for as long as nothing is wrong, until `probe` gives a value.
    pub async fn eventually<T>(&self, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
        patiently(PATIENCE, what, async || {
            let problems = self.keeper.shared.take_problems();
            assert!(problems.is_empty(), "{what}: {problems:?}");
            probe().await
        })
        .await
    }

    /// Waits until the node finds fault with something, and says with what.
    pub async fn problem(&self) -> String {
        let taken = async || self.keeper.shared.take_problems().into_iter().next();
        patiently(PATIENCE, "the node finds fault", taken).await
    }

    /// Waits until all pods of a Deployment are of its newest template and available, and none is left over.
    pub async fn available(&self, deployment: &str) {
        let api = self.api::<Deployment>();
        self.eventually(&format!("{deployment} is available"), async || {
            let found = api.get(deployment).await.ok()?;
            let (wanted, status) = (found.spec?.replicas?, found.status?);
            let all = [status.replicas, status.updated_replicas, status.available_replicas];
            let settled = status.observed_generation == found.metadata.generation
                && all.iter().all(|count| count.unwrap_or(0) == wanted);
            settled.then_some(())
        })
        .await;
    }

    /// Restarts the pods of a Deployment, a few at a time.
    pub async fn restart(&self, deployment: &str) {
        self.kubectl(&["rollout", "restart", "deployment", deployment]).await;
    }

    /// What kubectl says, as somebody who may do everything.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program("kubectl"));
        command.env("KUBECACHEDIR", self.keeper.shared.folder("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments).stdin(Stdio::null());
        let output = within(&format!("kubectl {arguments:?}"), command.output()).await.expect("kubectl runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "kubectl {arguments:?}: {text}");
        text
    }

    /// A file that lets clients do everything, in this namespace unless they say otherwise.
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.keeper.shared.folder("kubeconfig");
        fs::write(&path, self.plane.admin_kubeconfig(&self.namespace)).expect("the folder takes files");
        path
    }

    /// The pods that `selector` finds and that have an address, by name.
    pub async fn pods(&self, selector: &str) -> Vec<Placed> {
        self.pods_in(&self.namespace, selector).await
    }

    async fn pods_in(&self, namespace: &str, selector: &str) -> Vec<Placed> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let list = api.list(&ListParams::default().labels(selector)).await.expect("pods can be listed");
        let mut pods: Vec<Placed> = list.items.iter().filter_map(Placed::of).collect();
        pods.sort();
        pods
    }

    /// One pod, once it has an address.
    pub async fn pod(&self, name: &str) -> Placed {
        let api = self.api::<Pod>();
        self.eventually(&format!("{name} has an address"), async || Placed::of(&api.get(name).await.ok()?)).await
    }

    /// Waits until there are exactly `count` such pods, all of them ready.
    pub async fn ready(&self, selector: &str, count: usize) -> Vec<Placed> {
        self.ready_in(&self.namespace, selector, count).await
    }

    /// The same in another namespace of this node.
    pub async fn ready_in(&self, namespace: &str, selector: &str, count: usize) -> Vec<Placed> {
        self.eventually(&format!("{count} pods of {selector} are ready"), async || {
            let pods = self.pods_in(namespace, selector).await;
            (pods.len() == count && pods.iter().all(|pod| pod.ready && !pod.ending)).then_some(pods)
        })
        .await
    }

    /// Deletes a pod; its node lets it end.
    pub async fn delete_pod(&self, name: &str) {
        self.api::<Pod>().delete(name, &DeleteParams::default()).await.expect("the pod is deleted");
    }

    /// Kills what a pod runs, as a crash would.
    pub fn kill(&self, pod: &str) {
        self.signal(pod, Signal::KILL);
    }

    /// Signals all that a pod runs.
    pub fn signal(&self, pod: &str, signal: Signal) {
        self.keeper.shared.signal(&self.namespace, pod, signal);
    }

    /// What a pod has said so far, over all its restarts; it may be gone by now.
    pub fn log(&self, pod: &str) -> String {
        self.log_in(&self.namespace, pod)
    }

    /// The same of a pod in another namespace of this node.
    pub fn log_in(&self, namespace: &str, pod: &str) -> String {
        container::log(&self.keeper.shared.log(namespace, pod))
    }

    /// One line of a picker's metrics page.
    pub async fn metric(&self, pod: &Placed, series: &str) -> f64 {
        let page = self.page(&pod.name, 9090, "/metrics").await.ok();
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{} has no {series}", pod.name))
    }

    /// A page of a pod, also of a port that listens on its own loopback address alone; as `kubectl port-forward`.
    pub async fn page(&self, pod: &str, port: u16, path: &str) -> Reply {
        self.page_in(&self.namespace, pod, port, path).await
    }

    /// The same of a pod in another namespace of this node.
    pub async fn page_in(&self, namespace: &str, pod: &str, port: u16, path: &str) -> Reply {
        let stream = self.dial(namespace, pod, port);
        let mut connection = Connection::over(stream, Protocol::Http1).await.expect("HTTP/1 needs no handshake");
        connection.exchange(get(path)).await
    }

    /// A connection to a port of a pod's own loopback address.
    pub fn dial(&self, namespace: &str, pod: &str, port: u16) -> TcpStream {
        let key = (namespace.to_owned(), pod.to_owned());
        let running = self.keeper.shared.running.lock().get(&key).cloned();
        let network = running.unwrap_or_else(|| panic!("{pod} does not run")).network;
        let stream = network.dial(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let stream = stream.unwrap_or_else(|error| panic!("{pod}, port {port}: {error}"));
        stream.set_nonblocking(true).expect("a socket takes options");
        TcpStream::from_std(stream).expect("a runtime takes sockets")
    }

    /// The folder of what pods have said, a file a pod.
    pub fn logs(&self) -> PathBuf {
        self.keeper.shared.logs()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let problems = self.keeper.shared.take_problems();
        if !thread::panicking() {
            assert!(problems.is_empty(), "{problems:?}");
            return;
        }
        for log in fs::read_dir(self.logs()).into_iter().flatten().flatten() {
            eprintln!("--- the last lines of {} ---", log.file_name().display());
            let text = container::log(&log.path());
            let lines: Vec<&str> = text.lines().collect();
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Placed {
    fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        let ready = |kind: &str| {
            let mut conditions = status.conditions.iter().flatten();
            conditions.any(|condition| condition.type_ == kind && condition.status == "True")
        };
        Some(Self {
            name: pod.metadata.name.clone()?,
            uid: pod.metadata.uid.clone()?,
            address: status.pod_ip.as_deref()?.parse().ok()?,
            ready: ready("Ready"),
            ending: pod.metadata.deletion_timestamp.is_some(),
            restarts: status.container_statuses.iter().flatten().map(|container| container.restart_count).sum(),
            phase: status.phase.clone()?,
        })
    }
}
