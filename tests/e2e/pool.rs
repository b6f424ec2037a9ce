//! The endpoints file is live: engines come, go, drain, and a bad edit changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bookings::unreachable_engines;
use crate::support::files::Entry;
use crate::support::{Homing, World, eventually, prompt};

#[tokio::test]
async fn an_added_engine_gets_new_sessions_and_moves_no_old_one() {
    let world = World::builder(3).pool(&[0, 1]).start().await;
    let homes = settle(&world).await;
    world.homing.set_endpoints(&world.entries()).await;
    return_all(&world, &homes).await;
    let mut newcomers = 0..200;
    eventually("a new session lands on r3", async || {
        let session = format!("newcomer-{}", newcomers.next().expect("one of so many was to land there"));
        (world.chat(Some(&session), "short", "hello").await.ok().served_by() == "r3").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_removed_engine_moves_only_its_own_sessions_at_once_and_for_that_reason() {
    let world = World::of(3).await;
    let homes = settle(&world).await;
    world.homing.set_endpoints(&world.entries_without("r2")).await;
    leave_r2(&world, homes).await;
}

#[tokio::test]
async fn an_engine_of_weight_zero_moves_only_its_own_sessions_at_once_and_for_that_reason() {
    let world = World::of(3).await;
    let homes = settle(&world).await;
    let out = |endpoint: &Value| endpoint["weight"].as_f64().is_some_and(|weight| weight <= 0.0);
    edit_r2(&world, "weight: 0", out).await;
    leave_r2(&world, homes).await;
}

#[tokio::test]
async fn a_draining_engine_keeps_its_sessions_and_gets_no_new_ones() {
    let world = World::of(3).await;
    let homes = settle(&world).await;
    edit_r2(&world, "drain: true", |endpoint| endpoint["draining"] == true).await;
    return_all(&world, &homes).await;
    for n in 0..30 {
        let reply = world.chat(Some(&format!("newcomer-{n}")), "short", "hello").await.ok();
        assert_ne!(reply.served_by(), "r2");
    }
}

#[tokio::test]
async fn a_heavier_engine_gets_more_new_sessions() {
    let world = World::of(2).await;
    edit_r2(&world, "weight: 4", |endpoint| endpoint["weight"] == 4.0).await;
    for n in 0..80 {
        world.chat(Some(&format!("newcomer-{n}")), "short", "hello").await.ok();
    }
    let served = world.engine("r2").requests().len();
    assert!(served > 50, "r2 has four times the weight of r1 and served {served} of 80");
}

#[tokio::test]
async fn a_bad_edit_of_the_endpoints_file_keeps_the_last_good_one() {
    let mut world = World::builder(3).pool(&[0, 1]).start().await;
    let bad_documents = [
        "endpoints: [unclosed\n",
        "endpoints:\n  - {name: r3, address: not-an-address, port: 80}\n",
        "endpoints:\n  - {name: r3, address: 127.0.0.1, port: 80, wieght: 1}\n",
        "",
    ];
    for bad in bad_documents {
        let mark = world.homing.log_mark();
        world.homing.write_endpoints(bad);
        world.homing.complains(mark).await;
        let names: Vec<String> = world.homing.loads().await.into_iter().map(|load| load.name).collect();
        assert_eq!(names, ["r1", "r2"], "after {bad:?}");
        world.chat(None, "short", "hello").await.ok();
    }
    world.homing.set_endpoints(&world.entries()).await;
    world.chat(None, "short", "hello").await.ok();
}

#[tokio::test]
async fn a_pool_that_was_empty_serves_as_soon_as_an_engine_comes() {
    let world = World::builder(1).pool(&[]).start().await;
    assert_eq!(world.chat(None, "short", "hello").await.status, 503);
    world.homing.set_endpoints(&world.entries()).await;
    world.chat(None, "short", "hello").await.ok();
}

#[tokio::test]
async fn a_pool_in_which_nobody_can_serve_is_warned_of_at_its_start_and_after_an_edit() {
    let quiet = Some("engineMetrics: {enabled: false}");
    let out = || {
        let rest = Some("weight: 0");
        unreachable_engines(2).into_iter().map(|entry| Entry { rest, ..entry }).collect::<Vec<_>>()
    };
    for (pool, reason) in [(Vec::new(), "names no endpoint"), (out(), "no endpoint has a weight above 0")] {
        let mut homing = Homing::start(&pool, quiet, &[]).await;
        let said = homing.complains(0).await["message"].to_string();
        assert!(said.contains(reason) && said.contains("503"), "{said}");

        homing.set_endpoints(&unreachable_engines(1)).await;
        let mark = homing.log_mark();
        homing.set_endpoints(&pool).await;
        let said = homing.complains(mark).await["message"].to_string();
        assert!(said.contains(reason), "{said}");
    }
}

/// Two turns of every session, so that each has a home, and r1 and r2 have several each.
async fn settle(world: &World) -> BTreeMap<String, String> {
    let mut homes = BTreeMap::new();
    let living_on = |homes: &BTreeMap<String, String>, name| homes.values().filter(|home| *home == name).count();
    while living_on(&homes, "r1") < 3 || living_on(&homes, "r2") < 3 {
        let session = format!("session-{}", homes.len());
        let home = turn(world, &session).await;
        homes.insert(session, home);
        assert!(homes.len() < 100, "new sessions do not spread: {homes:?}");
    }
    return_all(world, &homes).await;
    homes
}

async fn return_all(world: &World, homes: &BTreeMap<String, String>) {
    for (session, home) in homes {
        assert_eq!(turn(world, session).await, *home, "{session} had no reason to move");
    }
}

/// After r2 is out: its sessions move on their next request, and stay where they went.
async fn leave_r2(world: &World, mut homes: BTreeMap<String, String>) {
    for (session, home) in &mut homes {
        let served_by = turn(world, session).await;
        let reason = world.homing.decision().await.reason;
        if home == "r2" {
            assert_ne!(served_by, "r2");
            assert_eq!(reason, "moved", "{session}");
            *home = served_by;
        } else {
            assert_eq!((served_by.as_str(), reason.as_str()), (home.as_str(), "session"), "{session}");
        }
    }
    return_all(world, &homes).await;
}

async fn turn(world: &World, session: &str) -> String {
    world.chat(Some(session), &prompt(session, 4_000), "again").await.ok().served_by().to_owned()
}

/// Adds `rest` to the line of r2 and waits until the admin port shows it, or shows r2 no more.
async fn edit_r2(world: &World, rest: &'static str, shown: impl Fn(&Value) -> bool) {
    let entries = world.entries_with("r2", rest);
    world.homing.write_endpoints(&crate::support::endpoints_document(&entries));
    eventually(&format!("r2 has {rest:?}"), async || {
        let document = world.homing.page("admin", "/endpoints").await.ok().json();
        let endpoints = document.as_array().expect("an array of endpoints");
        endpoints.iter().filter(|endpoint| endpoint["name"] == "r2").all(&shown).then_some(())
    })
    .await;
}
