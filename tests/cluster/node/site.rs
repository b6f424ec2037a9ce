//! Homing and simulated engines as the pods of Deployments, under the rights of `deploy/kubernetes/rbac.yaml`, and an
//! Envoy beside them. The restricted profile of pod security is enforced.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::cluster::{Cluster, Placed};
use crate::kubernetes::{CONFIG_MAP, POOL, PORT, objects};
use crate::support::envoy::{Envoy, Options};
use crate::support::eventually;
use crate::support::files::config_document;

/// The port of Homing's gRPC.
pub const GRPC: u16 = 9002;
/// The port of its admin pages, on the pod's loopback address.
pub const ADMIN: u16 = 9004;

/// A cluster with both.
pub struct Site {
    pub cluster: Cluster,
    /// Homing's replicas.
    pub pickers: Vec<Placed>,
    pub engines: Vec<Placed>,
}

/// What a test wants of it.
pub struct Wishes<'a> {
    pub replicas: usize,
    pub engines: usize,
    /// How long engines go on after they were deleted; not at all where it is absent.
    pub pre_stop: Option<u32>,
    /// Fields of Homing's configuration, on top level.
    pub config: &'a str,
}

impl Site {
    /// Starts it and waits until all is ready.
    pub async fn start(wishes: Wishes<'_>) -> Self {
        let Wishes { replicas, engines, pre_stop, config } = wishes;
        let cluster = Cluster::restricted().await;
        let rights = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes/rbac.yaml");
        let rights = fs::read_to_string(rights).expect("the example");
        cluster.apply(&rights.replace("namespace: default", &format!("namespace: {}", cluster.namespace))).await;
        cluster.apply_object(objects::pool(POOL, "engine", &[PORT])).await;
        let data = json!({"config.yaml": config_document(config)});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "data": data});
        cluster.apply_object(object).await;
        cluster.apply_object(engines_of(engines, pre_stop)).await;
        cluster.apply_object(pickers_of(replicas)).await;
        let engines = cluster.ready("app=engine", engines).await;
        let pickers = cluster.ready("app=homing", replicas).await;
        let site = Self { cluster, pickers, engines };
        for picker in &site.pickers {
            site.knows(picker, &site.engines).await;
        }
        site
    }

    /// A gateway that asks the first replica.
    pub async fn gateway(&self) -> Envoy {
        Envoy::start(&Options::default(), (self.pickers[0].address, GRPC).into(), &[]).await
    }

    /// What `picker` says of its endpoints.
    pub async fn endpoints(&self, picker: &Placed) -> Vec<Value> {
        let page = self.cluster.page(&picker.name, ADMIN, "/endpoints").await.ok().json();
        page.as_array().expect("an array of endpoints").clone()
    }

    /// Waits until `picker` may send requests to exactly these pods.
    pub async fn knows(&self, picker: &Placed, engines: &[Placed]) {
        let wanted: Vec<&str> = engines.iter().map(|pod| pod.name.as_str()).collect();
        eventually(&format!("{} knows {wanted:?}", picker.name), async || {
            let mut found = self.endpoints(picker).await;
            found.retain(|endpoint| endpoint["ready"] == true);
            let mut names: Vec<&str> = found.iter().filter_map(|endpoint| endpoint["name"].as_str()).collect();
            names.sort_unstable();
            (names == wanted).then_some(())
        })
        .await;
    }
}

/// Engines as a Deployment of the app `engine`; `pre_stop` is how long they go on after they were deleted.
pub fn engines_of(replicas: usize, pre_stop: Option<u32>) -> Value {
    let mut container = json!({
        "name": "engine", "image": "engine:test",
        "args": ["--bind", "0.0.0.0", "--name", "$(POD_NAME)", "--model", "test-model", "--decode-step", "5ms"],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"containerPort": PORT}],
        "securityContext": restricted(),
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1},
    });
    if let Some(seconds) = pre_stop {
        container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": seconds}}});
    }
    deployment("engine", replicas, json!({"containers": [container]}))
}

fn pickers_of(replicas: usize) -> Value {
    let probe = |service: &str| json!({"grpc": {"port": 9003, "service": service}, "periodSeconds": 1});
    let container = json!({
        "name": "homing", "image": "homing:test",
        "args": [
            "serve", "--pool-name", POOL, "--config-map", CONFIG_MAP, "--secure-serving=false",
            "--explain-header", "--drain-window", "1s", "--log-format", "json",
        ],
        "ports": [{"containerPort": GRPC}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": probe("readiness"), "livenessProbe": probe("liveness"),
        "securityContext": restricted(),
    });
    deployment("homing", replicas, json!({"serviceAccountName": "homing", "containers": [container]}))
}

/// What a container has to ask for where the restricted profile is enforced.
pub fn restricted() -> Value {
    json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// Of the same name as its app; a new pod is there before an old one goes.
fn deployment(app: &str, replicas: usize, pod: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "strategy": {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": pod},
        },
    })
}
