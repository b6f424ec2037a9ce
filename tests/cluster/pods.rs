//! Pods come, go, and are not ready for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde_json::json;

use crate::kubernetes::{ControlPlane, Namespace, POOL, PORT, PodOf, Site, World, endpoints};
use crate::support::{eventually, prompt};

/// A flap that a test can see from both sides.
const LONG_GRACE: [&str; 2] = ["--ready-grace", "10m"];

#[tokio::test]
async fn pods_of_the_pool_become_endpoints_and_picks_go_there_through_envoy() {
    let mut world = World::of(2, &[]).await;
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        seen.insert(world.served_by().await);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["r1", "r2"]);

    let strangers = [("other", "another-app"), ("starting", "engine")];
    for (number, (name, app)) in (200..).zip(strangers) {
        let address = world.site.address(number);
        world.site.namespace.pod(&PodOf { app, ready: name != "starting", ..PodOf::new(name, address) }).await;
    }
    let elsewhere = Namespace::create(ControlPlane::shared().await).await;
    elsewhere.pod(&PodOf::new("r9", world.site.address(209))).await;
    world.site.add("r3", &[PORT]).await;
    world.serves(&["r1", "r2", "r3"]).await;
    assert_eq!(endpoints(&world.homing).await.len(), 3, "one is of another app, one not ready, one elsewhere");

    let excluded = "homing_pool_pods{state=\"excluded\",reason=\"not-ready\"}";
    assert_eq!(world.homing.metric("homing_pool_pods{state=\"eligible\",reason=\"ready\"}").await, Some(3.0));
    assert_eq!(world.homing.metric(excluded).await, Some(1.0));
    assert_eq!(world.homing.metric("homing_watch_up{watch=\"pods\"}").await, Some(1.0));
    let line = world.homing.says("who is excluded", 0, |line| line["reason"] == "not-ready").await;
    assert_eq!(line["pods"], "starting");
}

#[tokio::test]
async fn a_pod_that_begins_to_end_is_out_at_once_and_its_sessions_move_with_their_next_request() {
    let mut world = World::of(3, &LONG_GRACE).await;
    let homes = settle(&world).await;
    world.site.namespace.delete_pod("r2").await;
    world.serves(&["r1", "r3"]).await;
    assert_eq!(endpoints(&world.homing).await.len(), 2, "it does not come back, so nothing of it is kept");
    move_away_from(&world, "r2", &homes).await;

    // While it ends its readiness fails too, and then it is no more: nothing of that matters any longer.
    world.site.report("r2", |pod| pod.ready = false).await;
    world.site.namespace.remove_pod("r2").await;
    world.site.add("r4", &[PORT]).await;
    world.serves(&["r1", "r3", "r4"]).await;
}

#[tokio::test]
async fn a_pod_that_is_not_ready_for_a_moment_gets_no_request_and_loses_no_session() {
    let mut world = World::of(3, &LONG_GRACE).await;
    let homes = settle(&world).await;
    world.site.report("r2", |pod| pod.ready = false).await;
    world.serves(&["r1", "r3"]).await;
    for (session, home) in &homes {
        let served_by = turn(&world, session).await;
        assert_ne!(served_by, "r2");
        let expected = if home == "r2" { "away" } else { "session" };
        assert_eq!(world.homing.decision().await.reason, expected, "{session}");
    }
    world.site.report("r2", |pod| pod.ready = true).await;
    world.serves(&["r1", "r2", "r3"]).await;
    for (session, home) in &homes {
        assert_eq!(turn(&world, session).await, *home, "{session} has never moved");
    }
    assert_eq!(world.homing.metric("homing_moved_sessions_total").await, Some(0.0));
}

#[tokio::test]
async fn a_pod_that_is_not_ready_for_longer_loses_its_sessions() {
    let mut world = World::of(3, &["--ready-grace", "500ms"]).await;
    let homes = settle(&world).await;
    world.site.report("r2", |pod| pod.ready = false).await;
    eventually("nothing of r2 is kept", async || {
        let names: Vec<_> = endpoints(&world.homing).await.iter().map(|endpoint| endpoint["name"].clone()).collect();
        (names == ["r1", "r3"]).then_some(())
    })
    .await;
    move_away_from(&world, "r2", &homes).await;
}

#[tokio::test]
async fn a_container_that_was_started_again_inherits_no_warm_cache_and_no_session() {
    let mut world = World::of(3, &LONG_GRACE).await;
    let homes = settle(&world).await;
    assert!(indexed_blocks(&world, "r2").await > 0);
    let ready = |ready| {
        move |pod: &mut PodOf| {
            pod.ready = ready;
            pod.restarts = 1;
        }
    };
    world.site.report("r2", ready(false)).await;
    world.serves(&["r1", "r3"]).await;
    world.site.report("r2", ready(true)).await;
    world.serves(&["r1", "r2", "r3"]).await;
    assert_eq!(indexed_blocks(&world, "r2").await, 0);
    for (session, home) in homes.iter().filter(|(_, home)| *home == "r2") {
        turn(&world, session).await;
        assert_eq!(world.homing.decision().await.reason, "moved", "{session} of {home}");
    }
}

#[tokio::test]
async fn each_target_port_is_an_endpoint_and_an_annotation_says_which_are_active() {
    let ports = [8000, 8001, 8002];
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &ports).await;
    site.add("a", &ports).await;
    site.add("b", &ports).await;
    let homing = site.homing(&[]).await;
    let world = site.serve(homing).await;
    let all = ["a-rank-0", "a-rank-1", "a-rank-2", "b-rank-0", "b-rank-1", "b-rank-2"];
    world.serves(&all).await;
    let mut seen = BTreeSet::new();
    eventually("each rank has answered", async || {
        seen.insert(world.served_by().await);
        (seen.len() == all.len()).then_some(())
    })
    .await;

    let b = ["b-rank-0", "b-rank-1", "b-rank-2"];
    let current = "llm-d.ai/active-ports";
    let legacy = "inference.networking.k8s.io/active-ports";
    for (annotations, active) in [
        (json!({legacy: "8002, 8000"}), &["a-rank-0", "a-rank-2"][..]),
        (json!({current: "8001"}), &["a-rank-1"]),
        (json!({current: ""}), &[]),
        (json!({current: "8001abc"}), &[]),
        (json!({current: null, legacy: null}), &all[..3]),
    ] {
        world.site.namespace.annotate("a", annotations).await;
        world.serves(&[active, &b[..]].concat()).await;
    }
}

#[tokio::test]
async fn annotations_set_a_pods_weight_and_drain_it() {
    let world = World::of(2, &[]).await;
    let homes = settle(&world).await;
    world.site.namespace.annotate("r2", json!({"homing.dev/drain": "true"})).await;
    eventually("r2 drains", async || (shown(&world, "r2").await["draining"] == true).then_some(())).await;
    for (session, home) in &homes {
        assert_eq!(turn(&world, session).await, *home);
    }
    for n in 0..10 {
        let newcomer = world.chat(Some(&format!("newcomer-{n}")), "short").await.ok();
        assert_eq!(newcomer.served_by(), "r1");
    }
    world.site.namespace.annotate("r2", json!({"homing.dev/drain": null, "homing.dev/weight": "0"})).await;
    world.serves(&["r1"]).await;
    let weightless = "homing_pool_pods{state=\"excluded\",reason=\"weight\"}";
    assert_eq!(world.homing.metric(weightless).await, Some(1.0));
    world.site.namespace.annotate("r2", json!({"homing.dev/weight": "2.5"})).await;
    world.serves(&["r1", "r2"]).await;
    assert_eq!(shown(&world, "r2").await["weight"], 2.5);
}

#[tokio::test]
async fn sessions_that_lose_their_home_in_a_rolling_update_go_to_pods_of_the_new_template() {
    let mut world = World::of(3, &[]).await;
    for old in ["r1", "r2", "r3"] {
        world.site.namespace.made_by(old, "llama", "7d9f").await;
    }
    let homes = settle(&world).await;
    // Pods of one second are equally new.
    let second = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
    let first = second();
    eventually("a second is over", async || (second() > first).then_some(())).await;
    world.site.add("r4", &[PORT]).await;
    world.site.namespace.made_by("r4", "llama", "55c8").await;
    eventually("the old pods are outdated", async || {
        let all = endpoints(&world.homing).await;
        let outdated = all.iter().filter(|endpoint| endpoint["outdated"] == true);
        (outdated.map(|endpoint| endpoint["name"].as_str().expect("a name")).collect::<Vec<_>>() == ["r1", "r2", "r3"])
            .then_some(())
    })
    .await;
    world.site.namespace.delete_pod("r2").await;
    world.serves(&["r1", "r3", "r4"]).await;
    for (session, home) in &homes {
        let expected = if home == "r2" { "r4" } else { home.as_str() };
        assert_eq!(turn(&world, session).await, expected, "{session} of {home}");
    }
}

/// Two turns of every session, so that each has a home, and r2 has several.
async fn settle(world: &World) -> BTreeMap<String, String> {
    let mut homes = BTreeMap::new();
    while homes.values().filter(|home| *home == "r2").count() < 3 {
        let session = format!("session-{}", homes.len());
        let home = turn(world, &session).await;
        assert_eq!(turn(world, &session).await, home, "{session} returns");
        homes.insert(session, home);
        assert!(homes.len() < 100, "new sessions do not spread: {homes:?}");
    }
    homes
}

/// The sessions of `gone` move, for that reason; all others stay.
async fn move_away_from(world: &World, gone: &str, homes: &BTreeMap<String, String>) {
    for (session, home) in homes {
        let served_by = turn(world, session).await;
        let reason = world.homing.decision().await.reason;
        if home == gone {
            assert_ne!(served_by, gone);
            assert_eq!(reason, "moved", "{session}");
            assert_eq!(turn(world, session).await, served_by, "{session} stays where it went");
        } else {
            assert_eq!((served_by.as_str(), reason.as_str()), (home.as_str(), "session"), "{session}");
        }
    }
}

async fn turn(world: &World, session: &str) -> String {
    world.chat(Some(session), &prompt(session, 4_000)).await.ok().served_by().to_owned()
}

async fn shown(world: &World, name: &str) -> serde_json::Value {
    let all = endpoints(&world.homing).await;
    all.into_iter().find(|endpoint| endpoint["name"] == name).unwrap_or_else(|| panic!("{name} is no endpoint"))
}

async fn indexed_blocks(world: &World, name: &str) -> u64 {
    shown(world, name).await["indexedBlocks"].as_u64().expect("a number of blocks")
}
