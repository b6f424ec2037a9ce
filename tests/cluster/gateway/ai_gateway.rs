//! A real Envoy AI Gateway beside the real Envoy Gateway: it teaches that InferencePools, and Homing is attached by the
//! pool alone.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::attached::picked;
use super::envoy_gateway::{self, EnvoyGateway, PORT, objects};
use crate::chart::helm::objects as documents;
use crate::chart::site::{define, definitions_folder};
use crate::installed::release::{NAME, Release};
use crate::kubernetes::control_plane::parts;
use crate::node::images::Image;
use crate::node::{Cluster, Placed};
use crate::support::certificates::Pair;
use crate::support::{Connection, Protocol, Reply, chat, prompt};

const IMAGE: &str = "envoy-ai-gateway:test";
/// Engines that compute a megabyte at once, and hold it.
const FAST: [&str; 4] = ["--prefill-tokens-per-second", "10000000", "--cache-tokens", "2000000"];
/// What everything of it is called.
const CONTROLLER: &str = "ai-gateway";

/// Engines, one Homing, and a gateway that asks it.
struct Pooled {
    release: Release,
    gateway: EnvoyGateway,
    homing: Placed,
}

impl Pooled {
    async fn start() -> Self {
        let images = envoy_gateway::images().with(IMAGE, Image::program(binary(), "controller"));
        let mut cluster = Cluster::with(images, json!({})).await;
        let namespace = envoy_gateway::add_namespace(&mut cluster).await;
        let release = Release::on(cluster, 3, &FAST).await;
        envoy_gateway::define_all(&release.cluster).await;
        define(&release.cluster.client, &definitions()).await;
        for object in controller(&namespace, &release.cluster.namespace) {
            release.cluster.apply_object(object).await;
        }
        release.cluster.ready_in(&namespace, "app=ai-gateway", 1).await;
        let host = format!("{CONTROLLER}.{namespace}.svc.cluster.local");
        let of = "config.envoyGateway.extensionManager";
        let values = [
            format!("{of}.backendResources[0].group=inference.networking.k8s.io"),
            format!("{of}.backendResources[0].kind=InferencePool"),
            format!("{of}.backendResources[0].version=v1"),
            format!("{of}.hooks.xdsTranslator.post={{Translation,Cluster,Route}}"),
            format!("{of}.hooks.xdsTranslator.translation.listener.includeAll=true"),
            format!("{of}.hooks.xdsTranslator.translation.route.includeAll=true"),
            format!("{of}.hooks.xdsTranslator.translation.cluster.includeAll=true"),
            format!("{of}.hooks.xdsTranslator.translation.secret.includeAll=true"),
            format!("{of}.service.fqdn.hostname={host}"),
            format!("{of}.service.fqdn.port=1063"),
            "config.envoyGateway.extensionApis.enableBackend=true".to_owned(),
        ];
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        // Before Envoy: that finds Homing by its name, and keeps for a minute that there is none.
        let route = ["httpRoute.enabled=true", "httpRoute.parentRefs[0].name=inference-gateway"];
        let homing = ["replicas=1", "gateway=envoyAIGateway", "picker.explainHeader=true"];
        release.install(&[&homing[..], &route].concat()).await;
        let homing = release.replicas(1).await.remove(0);
        let gateway = EnvoyGateway::install_with(&release, &namespace, &values).await;
        Self { release, gateway, homing }
    }

    fn address(&self) -> SocketAddr {
        (self.gateway.proxy.address, PORT).into()
    }

    async fn connect(&self) -> Connection {
        Connection::open(self.address(), Protocol::Http1).await.expect("it listens")
    }

    /// An answer of whoever is there.
    async fn answer(&self) -> Option<Reply> {
        Reply::to(self.address(), chat(None, "hello", "are you there?")).await
    }

    /// What its Envoy says of its clusters, limits included.
    async fn clusters(&self) -> String {
        self.gateway.page(&self.release, "/clusters").await
    }
}

#[tokio::test]
async fn requests_go_where_homing_says_and_the_example_raises_what_can_be_raised() {
    let pooled = Pooled::start().await;
    let cluster = &pooled.release.cluster;
    let asks = async || {
        let reply = pooled.answer().await?;
        (reply.status == 200).then_some(())
    };
    cluster.eventually("the gateway asks Homing", asks).await;
    accepted(&pooled).await;
    picked_by_homing(&pooled).await;
    limits(&pooled).await;
    // It does not hand on the pool's failure mode (ai-gateway#2502): without Homing no request is answered.
    cluster.kubectl(&["scale", "deployment", NAME, "--replicas=0"]).await;
    let refused = async || {
        let reply = pooled.answer().await?;
        (reply.status == 500 && reply.body.is_empty()).then_some(())
    };
    cluster.eventually("requests end with 500 without Homing", refused).await;
}

/// The pool says that it is taken, as the page has people look.
async fn accepted(pooled: &Pooled) {
    let pools = objects(&pooled.release.cluster, ("inference.networking.k8s.io", "v1", "InferencePool"));
    let taken = async || {
        let pool = pools.get(NAME).await.ok()?;
        let conditions = pool.data["status"]["parents"][0]["conditions"].as_array()?.clone();
        let met = |kind: &str| conditions.iter().any(|met| met["type"] == kind && met["status"] == "True");
        (met("Accepted") && met("ResolvedRefs")).then_some(())
    };
    pooled.release.cluster.eventually("the pool is accepted", taken).await;
}

/// Sessions stay, ids come back, a client cannot name the engine, and long prompts arrive.
async fn picked_by_homing(pooled: &Pooled) {
    let mut connection = pooled.connect().await;
    let mut homes = BTreeMap::new();
    for turn in 0..2 {
        for session in ["a", "b", "c", "d", "e", "f"] {
            let reply = connection.exchange(chat(Some(session), "short", &format!("question {turn}"))).await.ok();
            assert_eq!(reply.session(), session);
            let home = homes.entry(session).or_insert_with(|| reply.served_by().to_owned());
            assert_eq!(reply.served_by(), home);
            assert_eq!(picked(&reply).0, home, "what was picked is what happens");
        }
    }
    let mut spoofed = chat(Some("a"), "short", "a question");
    spoofed.headers_mut().insert("x-gateway-destination-endpoint", "192.0.2.1:80".parse().expect("a header"));
    assert_eq!(connection.exchange(spoofed).await.ok().served_by(), homes["a"]);
    let long = connection.exchange(chat(None, &prompt("long", 1_000_000), "a question")).await.ok();
    assert_eq!(picked(&long).0, long.served_by());
    assert!(!long.session().is_empty(), "Homing made an id");
    assert!(pooled.release.picks(&pooled.homing).await > 12.0);
}

/// The policies of the example are in force; the limit towards Homing is out of their reach, as the page says.
async fn limits(pooled: &Pooled) {
    let cluster = &pooled.release.cluster;
    let route = format!("httproute/{}/{NAME}/rule/0", cluster.namespace);
    let pickers = format!("envoy.clusters.endpointpicker_{NAME}_{}_ext_proc", cluster.namespace);
    let limit = |name: &str, limit: u32| format!("{name}::default_priority::max_requests::{limit}\n");
    assert!(pooled.clusters().await.contains(&limit(&route, 1024)), "Envoy's own");
    for mut object in examples().into_iter().filter(|object| object["kind"].as_str().is_some_and(of_envoy_gateway)) {
        if object["kind"] == "BackendTrafficPolicy" {
            object["spec"]["targetRefs"][0]["name"] = json!(NAME);
        }
        cluster.apply_object(object).await;
    }
    let raised = async || pooled.clusters().await.contains(&limit(&route, 65_536)).then_some(());
    cluster.eventually("the example's limit is in force", raised).await;
    assert!(pooled.clusters().await.contains(&limit(&pickers, 1024)), "nothing raises this one");
    let told = async || {
        let dump = pooled.gateway.page(&pooled.release, "/config_dump").await;
        ["\"stream_idle_timeout\": \"600s\"", "early_header_mutation"]
            .iter()
            .all(|what| dump.contains(what))
            .then_some(())
    };
    cluster.eventually("the example's policy for clients is in force", told).await;
    picked_by_homing(pooled).await;
}

fn of_envoy_gateway(kind: &str) -> bool {
    ["BackendTrafficPolicy", "ClientTrafficPolicy"].contains(&kind)
}

fn examples() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gateways/envoy-ai-gateway.yaml");
    documents(&fs::read_to_string(path).expect("the example is text"))
}

/// It, with all rights, since its chart's are not what is tested.
fn controller(namespace: &str, routes: &str) -> Vec<Value> {
    let pair = Pair::until(2099);
    let labels = json!({"app": "ai-gateway"});
    let meta = json!({"name": CONTROLLER, "namespace": namespace});
    let account = |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{CONTROLLER}-{namespace}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [account(CONTROLLER), account("envoy-gateway")],
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": meta,
            "stringData": {"ca.crt": pair.certificate, "tls.crt": pair.certificate, "tls.key": pair.key},
        }),
        // It insists on the webhook that adds its filter to pods of Envoy; nobody calls it here.
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": format!("envoy-ai-gateway-gateway-pod-mutator.{namespace}")},
            "webhooks": [{
                "name": "pods.ai-gateway.test", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Ignore", "clientConfig": {"url": "https://127.0.0.1:9443/mutate"},
                "namespaceSelector": {"matchLabels": {"nobody": "here"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }],
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"selector": labels, "ports": [{"name": "grpc", "port": 1063}]},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": CONTROLLER,
                    "containers": [{
                        "name": "controller", "image": IMAGE,
                        "args": [
                            "--enableLeaderElection=false", format!("--envoyGatewayNamespace={namespace}"),
                            // Other tests have pools too.
                            format!("--watchNamespaces={namespace},{routes}"),
                        ],
                        "env": [{"name": "POD_NAMESPACE", "value": namespace}],
                        "readinessProbe": {"grpc": {"port": 1063}, "periodSeconds": 1},
                        "volumeMounts": [{"name": "certs", "mountPath": "/certs", "readOnly": true}],
                    }],
                    "volumes": [{"name": "certs", "secret": {"secretName": CONTROLLER}}],
                },
            }},
        }),
    ]
}

fn definitions() -> Vec<String> {
    let files = fs::read_dir(definitions_folder().join("ai-gateway")).expect("definitions can be listed");
    files.flatten().filter_map(|file| Some(format!("ai-gateway/{}", file.path().file_stem()?.to_str()?))).collect()
}

fn binary() -> PathBuf {
    let named = env::var_os("HOMING_ENVOY_AI_GATEWAY").map(PathBuf::from);
    let path = named.unwrap_or_else(|| parts().join("envoy-ai-gateway-1.0.0")).join("envoy-ai-gateway");
    assert!(path.is_file(), "no Envoy AI Gateway at {}: run scripts/parts/envoy-ai-gateway", path.display());
    path
}
