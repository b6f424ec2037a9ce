//! The node itself: it takes the pods of its namespaces, keeps them until they are gone, and what leads to them true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::balancers::Balancers;
use super::images::Images;
use super::network::Network;
use super::spec::Facts;
use super::tables::{Kind, Watched};
use super::{hosts, pod};

/// A node; dropping it kills all that it runs.
pub struct Keeper {
    pub shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What all pods of a node share.
pub struct Shared {
    pub name: String,
    pub client: kube::Client,
    pub server: SocketAddrV4,
    pub images: Images,
    pub watched: Watched,
    /// What runs, by namespace and name.
    pub running: Mutex<BTreeMap<(String, String), Running>>,
    problems: Mutex<Vec<String>>,
    folder: TempDir,
}

/// Where to find a pod that runs.
#[derive(Clone)]
pub struct Running {
    pub uid: String,
    pub network: Arc<Network>,
    pub process: Option<Pid>,
}

impl Running {
    pub fn new(uid: &str, network: &Arc<Network>, process: Option<Pid>) -> Self {
        Self { uid: uid.to_owned(), network: Arc::clone(network), process }
    }
}

impl Keeper {
    pub async fn start(name: &str, client: kube::Client, server: SocketAddrV4, images: Images) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        fs::create_dir_all(folder.path().join("logs")).expect("the folder takes folders");
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            client,
            server,
            images,
            watched: Watched::new(),
            running: Mutex::default(),
            problems: Mutex::default(),
            folder,
        });
        shared.register().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(Arc::clone(&shared)));
        Self { shared, tasks }
    }

    /// From now on the pods of this namespace are this node's.
    pub fn take(&mut self, namespace: &str) {
        for kind in Kind::ALL {
            let (watched, client) = (self.shared.watched.clone(), self.shared.client.clone());
            self.tasks.spawn(watched.follow(client, kind, namespace.to_owned()));
        }
    }
}

impl Shared {
    /// Somebody has to know of what no pod can say.
    pub fn problem(&self, text: String) {
        eprintln!("node {}: {text}", self.name);
        self.problems.lock().push(text);
    }

    /// What was wrong so far; it is nobody's trouble any longer.
    pub fn take_problems(&self) -> Vec<String> {
        std::mem::take(&mut self.problems.lock())
    }

    /// What a pod has said; it outlives the pod.
    pub fn log(&self, namespace: &str, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(format!("{namespace}.{name}"))
    }

    /// The folder of all logs.
    pub fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// A pod's own folder.
    pub fn folder(&self, uid: &str) -> PathBuf {
        self.folder.path().join(uid)
    }

    /// From now on a pod is to be found there.
    pub fn announce(&self, facts: &Facts, running: Running) {
        self.running.lock().insert((facts.namespace.clone(), facts.name.clone()), running);
    }

    /// A pod is to be found no longer.
    pub fn forget(&self, facts: &Facts) {
        let key = (facts.namespace.clone(), facts.name.clone());
        let mut running = self.running.lock();
        if running.get(&key).is_some_and(|running| running.uid == facts.uid) {
            running.remove(&key);
        }
    }

    /// Signals the process of a pod and what it has started.
    pub fn signal(&self, namespace: &str, name: &str, signal: Signal) {
        let running = self.running.lock();
        let pod = running.get(&(namespace.to_owned(), name.to_owned()));
        let process = pod.and_then(|pod| pod.process).unwrap_or_else(|| panic!("{name} does not run"));
        kill_process_group(process, signal).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    async fn register(&self) {
        let api: Api<NodeObject> = Api::all(self.client.clone());
        let object = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux"}},
        });
        let parameters = PatchParams::apply("node").force();
        api.patch(&self.name, &parameters, &Patch::Apply(object)).await.expect("the node is taken");
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let status = api.patch_status(&self.name, &PatchParams::default(), &Patch::Merge(ready)).await;
        status.expect("the node's status is taken");
    }
}

/// Starts what is new, and tells names; pods see for themselves what becomes of them.
async fn keep(shared: Arc<Shared>) {
    let mut changed = shared.watched.subscribe();
    let mut known = BTreeSet::new();
    let mut pods = JoinSet::new();
    let mut balancers = Balancers::default();
    loop {
        for object in shared.watched.read().all(Kind::Pod) {
            let uid = object.metadata.uid.clone().unwrap_or_default();
            if is_ours(object, &shared.name) && known.insert(uid) {
                pods.spawn(pod::run(object.clone(), Arc::clone(&shared)));
            }
        }
        write_hosts(&shared);
        balancers.follow(&shared).await;
        while let Some(ended) = pods.try_join_next() {
            if let Err(panicked) = ended {
                shared.problem(panicked.to_string());
            }
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

fn is_ours(pod: &DynamicObject, node: &str) -> bool {
    pod.data["spec"]["nodeName"].as_str().is_none_or(|bound| bound == node)
}

fn write_hosts(shared: &Shared) {
    let tables = shared.watched.read();
    for ((namespace, name), Running { uid, network, .. }) in shared.running.lock().iter() {
        hosts::write(&shared.folder(uid), network.address, name, &hosts::names(&tables, namespace));
    }
}
