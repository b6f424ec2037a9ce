//! Replicas that share their state through a real Valkey, and what happens when that fails.

mod attacks;
mod faults;
mod joining;
mod load;
mod logins;
mod site;

use http::StatusCode;

use crate::support::homing::binary;
use crate::support::process::run;
use crate::support::prompts::prompt;
use crate::support::{Answer, Gate, Protocol, Valkey, chat, eventually};

use site::Site;

#[tokio::test]
async fn what_one_replica_has_learned_the_other_picks_by() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(2, 4, &valkey.url()).await;
    for number in 0..4 {
        let (system, session) = (prompt(&format!("system {number}"), 8_000), format!("session-{number}"));
        let home = site.chat(0, None, &system).await;
        let held = site.chat(0, Some(&session), &prompt(&format!("alone {number}"), 6_000)).await;
        site.is_told().await;
        assert_eq!(site.chat(1, None, &system).await, home);
        assert_eq!(site.homings[1].decision().await.reason, "prefix");
        assert_eq!(site.chat(1, Some(&session), "And then?").await, held);
        assert_eq!(site.homings[1].decision().await.reason, "session");
    }
}

#[tokio::test]
async fn what_one_replica_has_in_flight_the_other_counts_until_it_is_over() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(2, 2, &valkey.url()).await;
    let gate = Gate::closed();
    site.engines.iter().for_each(|engine| engine.answer(Answer::Held(gate.clone())));
    let mut connection = site.envoys[0].connect(Protocol::Http1).await;
    let asked = connection.exchange(chat(None, &prompt("in flight", 20_000), "?"));
    let seen = async {
        site.homings[1].books(1).await;
        assert!(site.homings[1].loads().await.iter().any(|load| load.waiting_tokens > 3_000.0));
        gate.open();
    };
    let (reply, ()) = tokio::join!(asked, seen);
    assert_eq!(reply.status, StatusCode::OK);
    site.homings[1].ledger_reads_zero().await;
}

#[tokio::test]
async fn a_replica_says_whom_it_hears_how_old_that_is_and_what_it_costs() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(3, 2, &valkey.url()).await;
    site.chat(1, None, &prompt("told", 8_000)).await;
    let homing = &site.homings[0];
    eventually("two others are heard, and how long it took", async || {
        let lag = homing.metric("homing_shared_state_lag_seconds_count").await.unwrap_or_default();
        (homing.metric("homing_shared_state_replicas").await == Some(2.0) && lag > 0.0).then_some(())
    })
    .await;
    assert_eq!(homing.metric("homing_shared_state_connected{}").await, Some(1.0));
    for series in ["messages", "bytes"].map(|name| format!("homing_shared_state_{name}_total")) {
        assert!(homing.count(&format!("{series}{{direction=\"sent\"}}")).await > 0);
        assert!(homing.count(&format!("{series}{{direction=\"received\"}}")).await > 0);
    }
    let page = String::from_utf8(homing.page("metrics", "/metrics").await.ok().body.to_vec()).expect("text");
    let ages = page.lines().filter(|line| line.starts_with("homing_shared_state_replica_age_seconds{replica=\""));
    assert_eq!(ages.count(), 2, "{page}");
    let ready = String::from_utf8(homing.page("metrics", "/readyz").await.ok().body.to_vec()).expect("text");
    assert!(ready.contains("shared state: connected, 2 others heard"), "{ready}");
    let admin = homing.port("admin").to_string();
    let (status, said) = run(&binary(), &["explain", "--replicas", "--admin", &admin]);
    assert!(status.success() && said.starts_with("shared state: connected"), "{said}");
    assert!(said.lines().count() == 5 && said.contains("known here"), "{said}");
    let (_, said) = run(&binary(), &["explain", "--replicas", "--output", "json", "--admin", &admin]);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&said["isShared"], said["replicas"].as_array().map(Vec::len)), (&true.into(), Some(2)));
}
