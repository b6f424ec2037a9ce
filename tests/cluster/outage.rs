//! The API server goes away, or does not let us in any more: routing goes on with what is known.

use std::env;
use std::time::Duration;

use http::StatusCode;

use crate::kubernetes::{ControlPlane, POOL, PORT, PodOf, Traffic, World, endpoints};
use crate::support::eventually;

/// How long the API server is away; `make test-long` has it away for longer.
fn outage() -> Duration {
    let seconds = env::var("HOMING_TEST_OUTAGE").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5);
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn an_api_server_that_was_away_costs_no_request_and_neither_loses_nor_invents_an_endpoint() {
    let mut plane = ControlPlane::start().await.with_crds().await;
    let mut world = World::on(&plane, 3, &[]).await;
    world.serves(&["r1", "r2", "r3"]).await;
    let traffic = Traffic::start(&world).await;
    plane.kill_server();
    let away = tokio::time::sleep(outage());
    tokio::pin!(away);
    // Nothing else is to be waited for: that nothing happens for so long is the claim.
    while !away.is_elapsed() {
        assert_eq!(endpoints(&world.homing).await.len(), 3);
        traffic.flows().await;
        tokio::select! {
            () = &mut away => {}
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    down(&world, "pods").await;

    plane.start_server().await;
    // Before the watch is up again, so that only a list of all can tell.
    world.site.add("r4", &[PORT]).await;
    world.site.namespace.remove_pod("r1").await;
    world.serves(&["r2", "r3", "r4"]).await;
    for watch in ["pods", "inferencepools"] {
        up(&world, watch).await;
    }
    world.site.add("r5", &[PORT]).await;
    world.serves(&["r2", "r3", "r4", "r5"]).await;
    traffic.ends_well();
}

#[tokio::test]
async fn permissions_that_are_taken_away_cost_nothing_but_news() {
    let mut plane = ControlPlane::start().await.with_crds().await;
    let mut world = World::on(&plane, 2, &[]).await;
    let traffic = Traffic::start(&world).await;
    world.site.namespace.revoke().await;
    // A running watch is not asked for its permission again; a new one is.
    plane.kill_server();
    plane.start_server().await;
    for watch in ["pods", "inferencepools"] {
        let refused = |line: &serde_json::Value| {
            line["watch"] == watch && line["message"].as_str().is_some_and(|text| text.contains("needs a Role"))
        };
        world.homing.says(&format!("{watch} is forbidden"), 0, refused).await;
        down(&world, watch).await;
    }
    traffic.flows().await;
    assert_eq!(endpoints(&world.homing).await.len(), 2);
    assert_eq!(world.homing.page("metrics", "/readyz").await.status, StatusCode::OK, "it serves as before");

    world.site.add("r3", &[PORT]).await;
    world.site.namespace.apply_rbac().await;
    world.serves(&["r1", "r2", "r3"]).await;
    up(&world, "pods").await;
    traffic.ends_well();
}

#[tokio::test]
async fn a_pod_that_was_not_ready_when_the_api_server_went_loses_no_session() {
    let mut plane = ControlPlane::start().await.with_crds().await;
    let mut world = World::on(&plane, 3, &["--ready-grace", "4s"]).await;
    let home = world.chat(Some("s-1"), "short").await.ok().served_by().to_owned();
    world.site.report(&home, |pod| pod.ready = false).await;
    eventually("it is out", async || {
        let found = endpoints(&world.homing).await;
        found.iter().any(|endpoint| endpoint["name"] == *home && endpoint["ready"] == false).then_some(())
    })
    .await;
    plane.kill_server();
    down(&world, "pods").await;
    let away = tokio::time::sleep(outage());
    tokio::pin!(away);
    while !away.is_elapsed() {
        assert_eq!(endpoints(&world.homing).await.len(), 3, "nobody knows whether it is ready again");
        tokio::select! {
            () = &mut away => {}
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    plane.start_server().await;
    world.site.report(&home, |pod| pod.ready = true).await;
    world.serves(&["r1", "r2", "r3"]).await;
    assert_eq!(world.chat(Some("s-1"), "short").await.ok().served_by(), home);
    assert_eq!(world.homing.decision().await.reason, "session");
}

#[tokio::test]
async fn a_pool_that_was_edited_or_made_anew_after_an_outage_is_followed() {
    let mut plane = ControlPlane::start().await.with_crds().await;
    let mut world = World::on(&plane, 1, &[]).await;
    let address = world.site.address(2);
    world.site.add_pod(PodOf { app: "green", ..PodOf::new("g1", address) }, &[PORT]).await;
    plane.kill_server();
    down(&world, "pods").await;
    plane.start_server().await;
    world.site.namespace.pool(POOL, "green", &[PORT]).await;
    world.serves(&["g1"]).await;
    assert_eq!(world.served_by().await, "g1");

    plane.kill_server();
    down(&world, "pods").await;
    plane.start_server().await;
    world.site.namespace.delete_pool(POOL).await;
    world.site.namespace.pool(POOL, "engine", &[PORT]).await;
    world.serves(&["r1"]).await;
    assert_eq!(world.served_by().await, "r1");
}

async fn down(world: &World, watch: &str) {
    shows(world, watch, 0.0).await;
}

async fn up(world: &World, watch: &str) {
    shows(world, watch, 1.0).await;
}

async fn shows(world: &World, watch: &str, value: f64) {
    let series = format!("homing_watch_up{{watch=\"{watch}\"}}");
    eventually(&format!("{series} is {value}"), async || {
        (world.homing.metric(&series).await == Some(value)).then_some(())
    })
    .await;
}
