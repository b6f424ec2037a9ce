//! `homing doctor` at a real API server, under Homing's own ServiceAccount.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::kubernetes::{CONFIG_MAP, ControlPlane, POOL, PORT, PodOf, Site};
use crate::support::doctor::{Diagnosis, doctor};
use crate::support::files::config_document;

/// Looks at a site as its picker would see it.
async fn examine(site: &Site, flags: &[&str]) -> Diagnosis {
    examine_with(&site.namespace.kubeconfig, flags).await
}

async fn examine_with(kubeconfig: &str, flags: &[&str]) -> Diagnosis {
    let folder = TempDir::new().expect("a folder for temporary files");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, kubeconfig).expect("the folder takes files");
    let diagnosis = doctor(flags, &[("KUBECONFIG", path.as_os_str())]).await;
    drop(folder);
    diagnosis
}

/// A site with a pool, a configuration and one engine.
async fn site() -> Site {
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    site.namespace.configure(json!({"config.yaml": config_document("sessions: {affinity: hard}")})).await;
    site.add("r1", &[PORT]).await;
    site
}

#[tokio::test]
async fn an_installation_that_is_right_passes_every_check() {
    let site = site().await;
    let homing = site.homing(&["--config-map", CONFIG_MAP]).await;
    let (namespace, picker) = (site.namespace.name.clone(), homing.port("grpc").to_string());
    let flags = ["--pool-name", POOL, "--pool-namespace", &namespace, "--config-map", CONFIG_MAP];
    let diagnosis = examine(&site, &[&flags[..], &["--picker", &picker, "--secure-serving=false"]].concat()).await;
    assert_eq!(diagnosis.code, Some(0), "{diagnosis:#?}");
    assert!(diagnosis.with("warning").is_empty(), "{diagnosis:#?}");
    // Other tests may install the Gateway API at the same API server.
    let skipped = diagnosis.with("skipped");
    assert!(
        skipped.iter().all(|name| ["gateway-api", "shared-state", "certificate"].contains(&name.as_str())),
        "{skipped:?}"
    );
    let user = format!("system:serviceaccount:{namespace}:homing");
    diagnosis.finding("api-server", &format!(", asked as {user}"));
    assert_eq!(diagnosis.of("permissions"), [format!("ok: {user} has the 8 rights that Homing uses in {namespace}")]);
    diagnosis.finding("definitions", "inferencepools of inference.networking.k8s.io/v1 are served");
    diagnosis.finding("clock", "agrees");
    let pool = format!(
        "ok: {namespace}/{POOL}: pods with app=engine, port {PORT}, its endpointPickerRef names Service homing:9002"
    );
    assert_eq!(diagnosis.of("pool"), [pool]);
    assert_eq!(diagnosis.of("endpoints"), ["ok: 1 of 1 pod may serve, 1 endpoint"]);
    assert_eq!(diagnosis.of("metrics"), ["ok: the pages of 1 of 1 endpoint are understood: 1 vllm"]);
    assert_eq!(diagnosis.of("health").len(), 2);

    let other = ["--pool-name", POOL, "--picker", "other.default.svc:9002", "--timeout", "1s"];
    let diagnosis = examine(&site, &other).await;
    assert_eq!(diagnosis.finding("pool", "asks Service homing:9002, and not other:9002").0, "warning");
    diagnosis.finding("tls", "cannot be connected to");
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_the_rule_to_add() {
    let site = site().await;
    let flags = ["--pool-name", POOL, "--config-map", CONFIG_MAP];
    for (resource, rule, failing) in [
        ("events", "{apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}", vec![]),
        (
            "configmaps",
            "{apiGroups: [\"\"], resources: [configmaps], resourceNames: [homing-config], verbs: [list, watch]}",
            vec!["permissions", "configuration"],
        ),
        ("pods", "{apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}", vec!["permissions", "endpoints"]),
        (
            "inferencepools",
            "{apiGroups: [inference.networking.k8s.io], resources: [inferencepools], verbs: [list, watch]}",
            vec!["permissions", "pool"],
        ),
    ] {
        site.namespace.forbid(resource).await;
        // The API server has read the Role anew when it refuses.
        let diagnosis = crate::support::eventually(&format!("{resource} are refused"), async || {
            let diagnosis = examine(&site, &flags).await;
            diagnosis.of("permissions").iter().any(|found| found.contains(resource)).then_some(diagnosis)
        })
        .await;
        let (status, fix) = diagnosis.finding("permissions", resource);
        assert!(fix.contains(rule), "{resource}: {fix}");
        assert_eq!(status == "warning", resource == "events", "{diagnosis:#?}");
        let failures = diagnosis.with("failure");
        assert!(failing.iter().all(|name| failures.contains(&(*name).to_owned())), "{resource}: {diagnosis:#?}");
        assert_eq!(diagnosis.code, Some(if failing.is_empty() { 0 } else { 1 }));
    }
}

#[tokio::test]
async fn the_rights_of_another_are_asked_for_in_its_name() {
    let plane = ControlPlane::shared().await;
    let site = site().await;
    let namespace = &site.namespace.name;
    let admin = plane.kubeconfig("admin", namespace);
    let account = format!("system:serviceaccount:{namespace}:default");
    let flags = ["--pool-name", POOL, "--as", &account];
    let diagnosis = examine_with(&admin, &flags).await;
    diagnosis.finding("permissions", &format!("{account} may not list and watch pods"));
    assert_eq!(examine_with(&admin, &flags[..2]).await.code, Some(0));
    let forbidden = examine(&site, &flags).await;
    assert_eq!((forbidden.code, forbidden.of("api-server").len()), (Some(1), 1), "{forbidden:#?}");
}

#[tokio::test]
async fn credentials_that_nobody_knows_are_one_failure() {
    let site = site().await;
    let unknown = ControlPlane::shared().await.kubeconfig("nobody", &site.namespace.name);
    let diagnosis = examine_with(&unknown, &["--pool-name", POOL]).await;
    assert_eq!((diagnosis.code, diagnosis.with("failure")), (Some(1), vec!["api-server".to_owned()]), "{diagnosis:#?}");
    assert!(diagnosis.finding("api-server", "does not accept our credentials").1.contains("renew"));
}

#[tokio::test]
async fn a_definition_that_is_not_installed_is_named_and_an_api_server_that_is_away_too() {
    let mut plane = ControlPlane::start().await;
    let mut site = Site::new(&plane).await;
    site.add("r1", &[PORT]).await;
    let diagnosis = examine(&site, &["--pool-name", POOL]).await;
    assert_eq!(diagnosis.with("failure"), ["definitions", "pool"], "{diagnosis:#?}");
    let (_, fix) = diagnosis.finding("definitions", "inferencepools of inference.networking.k8s.io/v1 are not served");
    assert!(fix.contains("install"), "{fix}");
    // Pods by their labels need no definition.
    let pods = ["--endpoint-selector", "app=engine", "--endpoint-target-ports", "8000"];
    let diagnosis = examine(&site, &pods).await;
    assert_eq!((diagnosis.code, diagnosis.with("failure")), (Some(0), Vec::new()), "{diagnosis:#?}");
    plane.kill_server();
    let diagnosis = examine(&site, &["--pool-name", POOL, "--timeout", "2s"]).await;
    assert_eq!(diagnosis.with("failure"), ["api-server"]);
    diagnosis.finding("api-server", "the API server cannot be reached");
}

#[tokio::test]
async fn a_pool_or_pods_that_are_not_there_are_failures_and_excluded_pods_have_their_reason() {
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool("other", "nobody", &[PORT]).await;
    let namespace = site.namespace.name.clone();
    let diagnosis = examine(&site, &["--pool-name", POOL]).await;
    diagnosis.finding("pool", &format!("no InferencePool {POOL} in {namespace} (there are: other)"));
    assert_eq!(diagnosis.with("failure"), ["pool"]);
    let diagnosis = examine(&site, &["--pool-name", "other"]).await;
    diagnosis.finding("endpoints", &format!("no pod in {namespace} has the labels app=nobody"));

    site.namespace.pool(POOL, "engine", &[PORT]).await;
    let (first, second) = (site.address(1), site.address(2));
    site.add_pod(PodOf { ready: false, ..PodOf::new("slow", first) }, &[]).await;
    let weightless = json!({"homing.dev/weight": "0"});
    site.add_pod(PodOf { annotations: weightless, ..PodOf::new("light", second) }, &[]).await;
    let diagnosis = examine(&site, &["--pool-name", POOL]).await;
    assert_eq!((diagnosis.code, diagnosis.with("failure")), (Some(1), vec!["endpoints".to_owned()]), "{diagnosis:#?}");
    diagnosis.finding("endpoints", "0 of 2 pods may serve");
    diagnosis.finding("endpoints", "1 pod excluded as not-ready: slow");
    diagnosis.finding("endpoints", "1 pod excluded as weight: light");

    // It is ready, and nobody listens.
    site.report("slow", |pod| pod.ready = true).await;
    let diagnosis = examine(&site, &["--pool-name", POOL]).await;
    assert_eq!(diagnosis.with("failure"), ["ports"], "{diagnosis:#?}");
    diagnosis.finding("ports", "1 endpoint refused the connection: slow");
}

#[tokio::test]
async fn a_bad_configuration_is_named_by_field_and_a_picker_that_waits_says_not_serving() {
    let site = site().await;
    site.namespace.configure(json!({"config.yaml": config_document("sesions: {}")})).await;
    let flags = ["--pool-name", POOL, "--config-map", CONFIG_MAP];
    let diagnosis = examine(&site, &flags).await;
    assert_eq!(diagnosis.with("failure"), ["configuration"], "{diagnosis:#?}");
    diagnosis.finding("configuration", "did you mean `sessions`?");
    site.namespace.delete_configuration().await;
    let diagnosis = examine(&site, &flags).await;
    diagnosis.finding("configuration", &format!("no ConfigMap {}/{CONFIG_MAP}", site.namespace.name));

    let waiting = site.launch(&["--pool-name", "nowhere"]).await;
    let picker = waiting.port("grpc").to_string();
    let diagnosis = examine(&site, &["--pool-name", POOL, "--picker", &picker, "--secure-serving=false"]).await;
    assert_eq!(diagnosis.with("failure"), ["health"], "{diagnosis:#?}");
    diagnosis.finding("health", "NOT_SERVING to readiness");
}
