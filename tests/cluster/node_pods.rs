//! The node of processes itself: what a pod's spec says happens.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::node::Cluster;
use crate::node::site::restricted;
use crate::support::{Connection, Protocol, get};

/// Three simulated engines, which end as engines should.
const ENGINES: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: engines}
spec:
  replicas: 3
  selector: {matchLabels: {app: engine}}
  template:
    metadata: {labels: {app: engine}}
    spec:
      containers:
        - name: engine
          image: engine:test
          args: [--bind, 0.0.0.0, --name, $(POD_NAME)]
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 2}}}
---
apiVersion: v1
kind: Service
metadata: {name: engines}
spec:
  selector: {app: engine}
  ports: [{port: 8000}]
";

/// What a pod can be given, and a process that tells what it has got.
const READER: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello, other.yaml: "a: 1"}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {key: secret-of-the-test}
---
apiVersion: v1
kind: Pod
metadata: {name: reader, labels: {color: blue}}
spec:
  securityContext: {runAsUser: 1234, runAsNonRoot: true, fsGroup: 99}
  containers:
    - name: reader
      image: machine:test
      command: [sh, -c]
      args:
        - |
          echo "$NAME $COLOR $LITERAL $GREETING $KEY $(LITERAL)"
          echo "address $ADDRESS"
          cat /etc/settings/greeting /etc/settings/deep/other.yaml /etc/pod/labels /etc/key/key
          echo "user $(id -u)"
          touch /somewhere 2>/dev/null || echo read-only root
          touch /etc/settings/new 2>/dev/null || echo read-only settings
          touch /cache/file && echo writable cache
          until [ "$(cat /etc/settings/greeting)" = goodbye ]; do sleep 0.05; done
          echo updated
          sleep 3600
      env:
        - {name: LITERAL, value: literal}
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: COLOR, valueFrom: {fieldRef: {fieldPath: "metadata.labels['color']"}}}
        - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: GREETING, valueFrom: {configMapKeyRef: {name: settings, key: greeting}}}
        - {name: KEY, valueFrom: {secretKeyRef: {name: key, key: key}}}
      securityContext: {readOnlyRootFilesystem: true}
      volumeMounts:
        - {name: settings, mountPath: /etc/settings}
        - {name: key, mountPath: /etc/key, readOnly: true}
        - {name: cache, mountPath: /cache}
        - {name: pod, mountPath: /etc/pod}
  volumes:
    - name: settings
      configMap:
        name: settings
        items: [{key: greeting, path: greeting}, {key: other.yaml, path: deep/other.yaml}]
    - {name: key, secret: {secretName: key, defaultMode: 0400}}
    - {name: cache, emptyDir: {}}
    - name: pod
      downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
"#;

#[tokio::test]
async fn files_environment_user_and_mounts_are_what_the_spec_says() {
    let cluster = Cluster::start().await;
    cluster.apply(READER).await;
    says(&cluster, "reader", "writable cache").await;
    let log = cluster.log("reader");
    let address = cluster.pod("reader").await.address;
    let user = if crate::node::root::may_change_users() { 1234 } else { 0 };
    for line in [
        "reader blue literal hello secret-of-the-test literal",
        &format!("address {address}"),
        "helloa: 1color=\"blue\"",
        "secret-of-the-testuser",
        &format!("user {user}"),
        "read-only root",
        "read-only settings",
    ] {
        assert!(log.contains(line), "{line:?} is not in {log:?}");
    }
    cluster
        .apply(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {greeting: goodbye, other.yaml: b}}",
        )
        .await;
    says(&cluster, "reader", "updated").await;
}

#[tokio::test]
async fn a_deployment_becomes_available_by_its_own_probes_and_its_service_has_a_name() {
    let cluster = Cluster::start().await;
    cluster.apply(ENGINES).await;
    cluster.available("engines").await;
    let pods = cluster.ready("app=engine", 3).await;
    cluster
        .apply_object(command(
            "asker",
            "until getent ahosts engines.$NAMESPACE.svc.cluster.local; do sleep 0.05; done; getent hosts engines",
        ))
        .await;
    assert_eq!(ended(&cluster, "asker").await, 0);
    let log = cluster.log("asker");
    assert!(pods.iter().any(|pod| log.contains(&pod.address.to_string())), "{log}");
}

#[tokio::test]
async fn a_rolling_restart_lets_each_pod_serve_on_until_its_pre_stop_is_over() {
    let cluster = Cluster::start().await;
    cluster.apply(ENGINES).await;
    let before = cluster.ready("app=engine", 3).await;
    cluster.restart("engines").await;
    let ending = cluster
        .eventually("a pod ends", async || cluster.pods("app=engine").await.into_iter().find(|pod| pod.ending))
        .await;
    assert!(ending.ready, "a probe that passes says so until the end: {ending:?}");
    let mut connection = Connection::open((ending.address, 8000).into(), Protocol::Http1).await.expect("it listens");
    connection.exchange(get("/health")).await.ok();
    cluster.available("engines").await;
    let after = cluster.ready("app=engine", 3).await;
    assert!(after.iter().all(|pod| before.iter().all(|old| old.uid != pod.uid)));
    let log = cluster.log(&ending.name);
    assert!(log.contains("stopping once running answers have ended"), "it was asked to end, not killed: {log}");
    assert!(Connection::open((ending.address, 8000).into(), Protocol::Http1).await.is_none(), "its address is gone");
}

#[tokio::test]
async fn a_pod_that_does_not_end_is_killed_when_its_grace_is_over() {
    let cluster = Cluster::start().await;
    let mut pod = command("stubborn", "trap 'echo asked to end' TERM; echo runs; while :; do sleep 0.05; done");
    pod["spec"]["terminationGracePeriodSeconds"] = json!(1);
    cluster.apply_object(pod).await;
    says(&cluster, "stubborn", "runs").await;
    cluster.delete_pod("stubborn").await;
    let api = cluster.api::<Pod>();
    cluster.eventually("it is no more", async || api.get_opt("stubborn").await.ok()?.is_none().then_some(())).await;
    assert!(cluster.log("stubborn").contains("asked to end"));
}

#[tokio::test]
async fn a_pod_that_is_not_to_be_restarted_runs_to_completion() {
    let cluster = Cluster::start().await;
    for (name, code, phase) in [("good", 0, "Succeeded"), ("bad", 3, "Failed")] {
        cluster.apply_object(command(name, &format!("echo done; exit {code}"))).await;
        assert_eq!(ended(&cluster, name).await, code);
        assert_eq!(cluster.pod(name).await.phase, phase);
        assert_eq!(cluster.log(name), "done\n");
    }
    let mut template = command("job", "echo once more");
    template["spec"]["restartPolicy"] = json!("OnFailure");
    cluster
        .apply_object(json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"},
            "spec": {"template": {"spec": template["spec"]}},
        }))
        .await;
    cluster.kubectl(&["wait", "--for=condition=complete", "job/job", "--timeout=15s"]).await;
}

#[tokio::test]
async fn what_a_container_writes_to_its_termination_log_or_else_says_last_is_in_its_status() {
    let cluster = Cluster::restricted().await;
    let script = "echo said; seq 1 2000 >$LOG; exit 1";
    let numbers: String = (1..=2_000).map(|number| format!("{number}\n")).collect();
    let kept = &numbers[numbers.len() - 4_096..];
    for (name, log, policy, script, expected) in [
        ("usual", "/dev/termination-log", "File", script, kept),
        ("elsewhere", "/words/last", "File", script, kept),
        ("silent", "/dev/termination-log", "File", "echo said; exit 1", ""),
        ("fallback", "/dev/termination-log", "FallbackToLogsOnError", "echo said; exit 1", "said\n"),
        ("succeeded", "/dev/termination-log", "FallbackToLogsOnError", "echo said", ""),
        ("both", "/dev/termination-log", "FallbackToLogsOnError", script, kept),
    ] {
        let mut pod = command(name, script);
        pod["spec"]["securityContext"] = json!({"runAsUser": 1234});
        let container = &mut pod["spec"]["containers"][0];
        container["securityContext"] = restricted();
        container["terminationMessagePath"] = json!(log);
        container["terminationMessagePolicy"] = json!(policy);
        container["env"] = json!([{"name": "LOG", "value": log}]);
        cluster.apply_object(pod).await;
        ended(&cluster, name).await;
        let path = "jsonpath={.status.containerStatuses[0].state.terminated.message}";
        assert_eq!(cluster.kubectl(&["get", "pod", name, "-o", path]).await, expected, "{name}");
    }
    let mut again = command("again", "echo last words >/dev/termination-log; exit 1");
    again["spec"]["securityContext"] = json!({"runAsUser": 1234});
    again["spec"]["containers"][0]["securityContext"] = restricted();
    again["spec"]["restartPolicy"] = json!("Always");
    cluster.apply_object(again).await;
    let api = cluster.api::<Pod>();
    let before = async || {
        let status = api.get("again").await.ok()?.status?;
        status.container_statuses?.first()?.last_state.as_ref()?.terminated.as_ref()?.message.clone()
    };
    assert_eq!(cluster.eventually("it has ended before", before).await, "last words\n");
}

#[tokio::test]
async fn a_container_that_crashes_or_stops_answering_is_started_again_and_counted() {
    let cluster = Cluster::start().await;
    cluster.apply(ENGINES).await;
    let pod = cluster.ready("app=engine", 3).await.remove(0);
    for restarts in 1..=2 {
        cluster.kill(&pod.name);
        cluster
            .eventually("it runs again", async || {
                let now = cluster.pod(&pod.name).await;
                (now.restarts == restarts && now.ready).then_some(())
            })
            .await;
    }
    assert_eq!(cluster.pod(&pod.name).await.address, pod.address, "it is the same pod");

    for probe in ["livenessProbe", "startupProbe"] {
        let name = probe.to_lowercase();
        let mut sick = command(&name, "while :; do sleep 0.05; done");
        sick["spec"]["restartPolicy"] = json!("Always");
        sick["spec"]["terminationGracePeriodSeconds"] = json!(0);
        sick["spec"]["containers"][0][probe] =
            json!({"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1});
        cluster.apply_object(sick).await;
        let again = async || (cluster.pod(&name).await.restarts >= 1).then_some(());
        cluster.eventually(&format!("{name} is started again"), again).await;
    }
}

#[tokio::test]
async fn a_field_that_the_node_does_not_know_is_an_error_that_names_it() {
    let cluster = Cluster::start().await;
    let mut pod = command("odd", "true");
    pod["spec"]["containers"][0]["stdin"] = json!(true);
    cluster.apply_object(pod).await;
    assert!(cluster.problem().await.contains("spec.containers[].stdin: the node does not know this field"));
    let api = cluster.api::<Pod>();
    let status = cluster
        .eventually("it has failed", async || {
            api.get("odd").await.ok()?.status.filter(|status| status.phase.as_deref() == Some("Failed"))
        })
        .await;
    assert!(status.message.is_some_and(|message| message.contains("stdin")));
}

/// A pod that runs a shell script once.
fn command(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [{
            "name": "shell", "image": "machine:test", "command": ["sh", "-c", script],
            "env": [{"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        }]},
    })
}

/// The exit code of a pod's container, once it has ended.
async fn ended(cluster: &Cluster, name: &str) -> i32 {
    let api = cluster.api::<Pod>();
    cluster
        .eventually(&format!("{name} has ended"), async || {
            let status = api.get(name).await.ok()?.status?;
            Some(status.container_statuses?.first()?.state.as_ref()?.terminated.as_ref()?.exit_code)
        })
        .await
}

async fn says(cluster: &Cluster, pod: &str, text: &str) {
    cluster.eventually(&format!("{pod} says {text:?}"), async || cluster.log(pod).contains(text).then_some(())).await;
}
