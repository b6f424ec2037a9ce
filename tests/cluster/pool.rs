//! The pool itself changes, goes, or was never there.

use http::StatusCode;

use crate::kubernetes::{ControlPlane, POOL, PORT, PodOf, Site, World, serves};
use crate::support::eventually;

#[tokio::test]
async fn a_changed_selector_changes_the_endpoints_live() {
    let mut world = World::of(1, &[]).await;
    let address = world.site.address(2);
    world.site.add_pod(PodOf { app: "green", ..PodOf::new("g1", address) }, &[PORT]).await;
    assert_eq!(world.served_by().await, "r1");
    let traffic = crate::kubernetes::Traffic::start(&world).await;
    world.site.namespace.pool(POOL, "green", &[PORT]).await;
    world.serves(&["g1"]).await;
    assert_eq!(world.served_by().await, "g1");
    traffic.ends_well();

    // From then on it is the new label that counts.
    world.site.namespace.label("r1", "green").await;
    world.serves(&["g1", "r1"]).await;
    world.site.namespace.label("g1", "engine").await;
    world.serves(&["r1"]).await;
}

#[tokio::test]
async fn a_changed_port_changes_the_endpoints_live() {
    let ports = [8000, 8001];
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &[8000]).await;
    site.add("a", &ports).await;
    let homing = site.homing(&[]).await;
    let world = site.serve(homing).await;
    assert_eq!(world.served_by().await, "a-rank-0", "the name of the engine at port 8000");
    world.site.namespace.pool(POOL, "engine", &[8001]).await;
    eventually("port 8001 serves", async || (world.served_by().await == "a-rank-1").then_some(())).await;
    world.site.namespace.pool(POOL, "engine", &ports).await;
    world.serves(&["a-rank-0", "a-rank-1"]).await;
}

#[tokio::test]
async fn a_pool_that_is_deleted_refuses_and_serves_again_when_it_is_there_again() {
    let world = World::of(2, &[]).await;
    world.chat(None, "short").await.ok();
    world.site.namespace.delete_pool(POOL).await;
    world.serves(&[]).await;
    assert_eq!(world.chat(None, "short").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let (status, text) = readiness(&world.homing).await;
    let named = format!("waiting for InferencePool {}/{POOL}", world.site.namespace.name);
    assert_eq!((status, text.trim()), (StatusCode::SERVICE_UNAVAILABLE, named.as_str()));
    assert_eq!(world.homing.page("metrics", "/healthz").await.status, StatusCode::OK, "and it is alive");
    assert_eq!(watch_up(&world.homing, "pods").await, None, "there is nothing to watch");

    world.site.namespace.pool(POOL, "engine", &[PORT]).await;
    world.serves(&["r1", "r2"]).await;
    world.chat(None, "short").await.ok();
    assert_eq!(readiness(&world.homing).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_missing_is_named_and_once_it_is_there_homing_is_ready() {
    let mut plane = ControlPlane::start().await;
    let mut site = Site::new(&plane).await;
    site.add("r1", &[PORT]).await;
    plane.kill_server();
    let mut homing = site.launch(&["--pool-name", POOL]).await;
    waits_for(&homing, "the API server cannot be reached").await;
    assert_eq!(watch_up(&homing, "inferencepools").await, Some(0.0));
    assert_eq!(watch_up(&homing, "pods").await, None, "nobody knows which");
    plane.start_server().await;
    waits_for(&homing, "its CustomResourceDefinition is not installed").await;
    assert_eq!(watch_up(&homing, "inferencepools").await, Some(0.0));
    let unknown = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|message| message.contains("inference.networking.k8s.io/v1: install"))
    };
    homing.says("what to install", 0, unknown).await;

    plane.apply_crds().await;
    let pool = format!("waiting for InferencePool {}/{POOL}\n", site.namespace.name);
    eventually("only the pool is missing", async || (readiness(&homing).await.1 == pool).then_some(())).await;
    assert_eq!(watch_up(&homing, "inferencepools").await, Some(1.0));
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    homing.is_ready().await;
    serves(&homing, &["r1"]).await;
    let said = homing.log().lines().filter(|line| line.contains("install its CustomResourceDefinition")).count();
    assert_eq!(said, 1, "once is enough");
    let world = site.serve(homing).await;
    assert_eq!(world.served_by().await, "r1");
}

#[tokio::test]
async fn without_a_pool_labels_and_ports_say_which_pods_are_endpoints() {
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.add("r1", &[PORT]).await;
    let address = site.address(2);
    site.add_pod(PodOf { app: "other", ..PodOf::new("o1", address) }, &[PORT]).await;
    let namespace = site.namespace.name.clone();
    let flags = ["--endpoint-selector", "app=engine", "--endpoint-target-ports=8000", "--pool-namespace", &namespace];
    let mut homing = site.launch(&flags).await;
    homing.is_ready().await;
    let mut world = site.serve(homing).await;
    world.serves(&["r1"]).await;
    assert_eq!(world.served_by().await, "r1");
    world.site.add("r3", &[PORT]).await;
    world.serves(&["r1", "r3"]).await;
}

async fn waits_for(homing: &crate::support::Homing, what: &str) {
    eventually(what, async || {
        let (status, text) = readiness(homing).await;
        (status == StatusCode::SERVICE_UNAVAILABLE && text.contains(what)).then_some(())
    })
    .await;
    assert_eq!(homing.page("metrics", "/healthz").await.status, StatusCode::OK, "and it is alive");
}

async fn watch_up(homing: &crate::support::Homing, watch: &str) -> Option<f64> {
    homing.metric(&format!("homing_watch_up{{watch=\"{watch}\"}}")).await
}

async fn readiness(homing: &crate::support::Homing) -> (StatusCode, String) {
    let reply = homing.page("metrics", "/readyz").await;
    (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
}
