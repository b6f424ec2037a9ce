//! The suite's Deployment of a picker, with another image and one argument more, on the node of processes.

use serde_json::{Value, json};

use super::{SELECTION, SERVED};
use crate::node::cluster::Cluster;
use crate::support::envoy::{Envoy, Options};
use crate::support::prompts::with;
use crate::support::{Protocol, chat, eventually};

/// The arguments that it has up to 1.5 and that are gone since 1.6.
const OLDER: [&str; 4] = ["--v", "4", "--config-file", "/config/conformance-plugins.yaml"];

/// What the suite mounts up to 1.5.
const PLUGINS: &str = "\
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: header-based-testing-filter
- type: destination-endpoint-served-verifier
schedulingProfiles:
- name: conformance-profile
  plugins:
  - pluginRef: header-based-testing-filter
";

/// The Role that the suite gives to the default ServiceAccount, of which not all exists here.
fn rights() -> [Value; 2] {
    let read = ["get", "list", "watch"];
    let older = ["inferenceobjectives", "inferencemodelrewrites", "inferencepools"];
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "inference-model-reader"},
        "rules": [
            {"apiGroups": ["inference.networking.x-k8s.io"], "resources": older, "verbs": read},
            {"apiGroups": ["inference.networking.k8s.io"], "resources": ["inferencepools"], "verbs": read},
            {"apiGroups": [""], "resources": ["pods"], "verbs": read},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "epp-to-inference-model-reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "default"}],
        "roleRef": {"kind": "Role", "name": "inference-model-reader", "apiGroup": "rbac.authorization.k8s.io"},
    });
    [role, binding]
}

fn deployment(app: &str, replicas: u32, pod: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": pod},
        },
    })
}

fn engines() -> Value {
    let container = json!({
        "name": "echoserver", "image": "engine:test",
        "args": ["--bind", "0.0.0.0", "--port", "3000", "--name", "$(POD_NAME)", "--model", "test-model"],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"containerPort": 3000}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 3000}, "periodSeconds": 1},
    });
    deployment("primary-inference-model-server", 3, json!({"containers": [container]}))
}

fn picker(app: &str, namespace: &str, older: &[&str]) -> Value {
    let first = ["--pool-name", "primary-inference-pool", "--pool-namespace", namespace, "--zap-encoder", "json"];
    let ports = ["--grpc-port", "9002", "--grpc-health-port", "9003"];
    let args = [&first[..], &ports, older, &["--conformance-test-headers"]].concat();
    let probe = json!({
        "grpc": {"port": 9003, "service": "inference-extension"}, "initialDelaySeconds": 5, "periodSeconds": 10,
    });
    let container = json!({
        "name": "epp", "image": "homing:test", "imagePullPolicy": "Always",
        "args": args,
        "ports": [{"containerPort": 9002}, {"containerPort": 9003}, {"name": "metrics", "containerPort": 9090}],
        "livenessProbe": probe, "readinessProbe": probe,
        "volumeMounts": [{"name": "plugins-config-volume", "mountPath": "/config"}],
    });
    deployment(
        app,
        1,
        json!({
            "terminationGracePeriodSeconds": 130,
            "containers": [container],
            "volumes": [{"name": "plugins-config-volume", "configMap": {"name": "plugins-config"}}],
        }),
    )
}

#[tokio::test]
async fn the_suites_deployment_becomes_ready_with_its_arguments_probes_and_rights() {
    let cluster = Cluster::start().await;
    for object in rights() {
        cluster.apply_object(object).await;
    }
    let data = json!({"conformance-plugins.yaml": PLUGINS});
    let plugins =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plugins-config"}, "data": data});
    cluster.apply_object(plugins).await;
    cluster.apply_object(engines()).await;
    cluster
        .apply_object(json!({
            "apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool",
            "metadata": {"name": "primary-inference-pool"},
            "spec": {
                "selector": {"matchLabels": {"app": "primary-inference-model-server"}},
                "targetPorts": [{"number": 3000}],
                "endpointPickerRef": {"name": "primary-endpoint-picker-svc", "port": {"number": 9002}},
            },
        }))
        .await;
    for (app, older) in [("primary-app-backend-epp", &[][..]), ("older-app-backend-epp", &OLDER)] {
        cluster.apply_object(picker(app, &cluster.namespace, older)).await;
    }
    let engines = cluster.ready("app=primary-inference-model-server", 3).await;
    for (app, is_older) in [("primary-app-backend-epp", false), ("older-app-backend-epp", true)] {
        let picker = cluster.ready(&format!("app={app}"), 1).await.remove(0);
        // TLS is on unless it is switched off, as in the reference pickers.
        let options = Options { tls: true, ..Options::default() };
        let gateway = Envoy::start(&options, (picker.address, 9002).into(), &[]).await;
        let mut connection = gateway.connect(Protocol::Http1).await;
        for engine in &engines {
            let selection = engine.address.to_string();
            let reply = eventually(&format!("{app} knows {}", engine.name), async || {
                let request = with(chat(None, "short", "hello"), SELECTION, &selection);
                let reply = connection.exchange(request).await;
                (reply.status == 200).then_some(reply)
            })
            .await;
            assert_eq!((reply.served_by(), reply.header(SERVED)), (&*engine.name, &*format!("{selection}:3000")));
        }
        let log = cluster.log(&picker.name);
        assert!(!log.contains("forbidden"), "{log}");
        assert_eq!(log.contains("plugins, schedulingProfiles ignored"), is_older, "{log}");
        for flag in ["--zap-encoder", "--conformance-test-headers"] {
            assert!(log.contains(flag), "{flag} is warned of: {log}");
        }
        assert_eq!((picker.restarts, log.contains("--v")), (0, is_older));
    }
}
