//! Valkey dies, hangs, is full, takes no writes or cannot be reached: each replica goes on alone, says so, and returns by
//! itself. No request fails meanwhile.

use std::time::Duration;

use serde_json::Value;

use crate::support::prompts::prompt;
use crate::support::wait::patiently;
use crate::support::{Answer, Gate, Homing, Protocol, Valkey, chat, eventually};

use super::load::Load;
use super::site::Site;

/// Waits until all replicas know whether they share.
async fn shares(site: &Site, connected: f64) {
    for homing in &site.homings {
        is_connected(homing, connected).await;
    }
}

async fn is_connected(homing: &Homing, connected: f64) {
    eventually(&format!("connected is {connected}"), async || {
        (homing.metric("homing_shared_state_connected{}").await == Some(connected)).then_some(())
    })
    .await;
}

/// What one learns from now on, the other knows.
async fn shares_again(site: &Site, seed: &str) {
    shares(site, 1.0).await;
    site.hear_each_other().await;
    let text = prompt(seed, 8_000);
    let home = site.chat(0, None, &text).await;
    site.is_told().await;
    assert_eq!(site.chat(1, None, &text).await, home);
    assert_eq!(site.homings[1].decision().await.reason, "prefix");
}

async fn fails(homing: &Homing, reason: &str) {
    let series = format!("homing_shared_state_failures_total{{reason=\"{reason}\"}}");
    eventually(&format!("{reason} is counted"), async || (homing.count(&series).await > 0).then_some(())).await;
}

fn is_alone(line: &Value) -> bool {
    line["message"].as_str().is_some_and(|it| it.starts_with("shared state: it cannot be") && it.ends_with("alone"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again_empty_it_is_shared_through_as_before() {
    let mut valkey = Valkey::start(&[]).await;
    let mut site = Site::of(2, 3, &valkey.url()).await;
    let load = Load::on(&site);
    load.goes_on(50).await;
    let mark = site.homings[0].log_mark();
    valkey.kill();
    shares(&site, 0.0).await;
    site.homings[0].says("it goes on alone", mark, is_alone).await;
    let ready = site.homings[1].page("metrics", "/readyz").await.ok();
    let ready = String::from_utf8_lossy(&ready.body).into_owned();
    assert!(ready.contains("this replica goes on alone"), "{ready}");
    load.goes_on(50).await;
    valkey.restart().await;
    shares(&site, 1.0).await;
    load.goes_on(50).await;
    load.all_went_well().await;
    shares_again(&site, "after the restart").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hung_for_half_a_minute_it_holds_up_nobody_and_is_shared_through_once_it_goes_on() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(2, 3, &valkey.url()).await;
    let load = Load::on(&site);
    load.goes_on(50).await;
    valkey.freeze();
    shares(&site, 0.0).await;
    fails(&site.homings[0], "timeout").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    load.goes_on(50).await;
    valkey.thaw();
    shares(&site, 1.0).await;
    load.all_went_well().await;
    shares_again(&site, "after the hang").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_of_somebody_elses_keys_it_is_left_alone_and_used_again_when_there_is_room() {
    let valkey = Valkey::start(&["--maxmemory", "20mb", "--maxmemory-policy", "noeviction"]).await;
    let site = Site::of(2, 3, &valkey.url()).await;
    let load = Load::on(&site);
    load.goes_on(50).await;
    for (kind, bytes) in [("big", 1 << 20), ("small", 1 << 12)] {
        // To the last byte: what is left then is gone with the next updates.
        for number in 0.. {
            let value = "x".repeat(bytes);
            if valkey.send::<()>(redis::cmd("SET").arg(format!("{kind}:{number}")).arg(value)).await.is_err() {
                break;
            }
        }
    }
    shares(&site, 0.0).await;
    fails(&site.homings[0], "out-of-memory").await;
    load.goes_on(50).await;
    for number in 0..30 {
        valkey.ask::<i64>(&format!("DEL big:{number}")).await;
    }
    shares(&site, 1.0).await;
    load.all_went_well().await;
    shares_again(&site, "after there was room").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_of_its_own_log_it_is_made_smaller_and_written_again() {
    let valkey = Valkey::start(&["--maxmemory", "20mb", "--maxmemory-policy", "noeviction"]).await;
    let site = Site::of(2, 3, &valkey.url()).await;
    let mut write = redis::cmd("XADD");
    write.arg("homing:{site}:news").arg("*").arg("v1").arg(vec![0xff_u8; 1 << 14]);
    let series = "homing_shared_state_failures_total{reason=\"out-of-memory\"}";
    // What readers have not taken yet counts too, so it is full for moments only.
    while site.homings[0].count(series).await == 0 {
        for _ in 0..100 {
            let _refused_once_full = valkey.send::<String>(&write).await.is_err();
        }
    }
    shares_again(&site, "after it was made smaller").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_a_replica_it_takes_no_writes_and_is_used_again_once_it_is_the_primary() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(2, 3, &valkey.url()).await;
    let load = Load::on(&site);
    let nobody = crate::support::ClosedPort::keep();
    valkey.ask::<()>(&format!("REPLICAOF 127.0.0.1 {}", nobody.address().port())).await;
    shares(&site, 0.0).await;
    fails(&site.homings[0], "read-only").await;
    load.goes_on(50).await;
    valkey.ask::<()>("REPLICAOF NO ONE").await;
    shares(&site, 1.0).await;
    load.all_went_well().await;
    shares_again(&site, "after it was promoted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_cut_off_for_a_minute_goes_on_alone_and_comes_back() {
    let valkey = Valkey::start(&[]).await;
    let mut door = super::site::Door::to(valkey.address()).await;
    let (near, far) = (valkey.url(), door.url());
    let site = Site::with(3, &[vec!["--shared-state", &near], vec!["--shared-state", &far]]).await;
    site.hear_each_other().await;
    let load = Load::on(&site);
    load.goes_on(50).await;
    door.close();
    is_connected(&site.homings[1], 0.0).await;
    eventually("the other counts nothing of it any more", async || {
        (site.homings[0].metric("homing_shared_state_replicas").await == Some(0.0)).then_some(())
    })
    .await;
    is_connected(&site.homings[0], 1.0).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    load.goes_on(50).await;
    door.open().await;
    shares(&site, 1.0).await;
    load.all_went_well().await;
    shares_again(&site, "after the split").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_replica_had_in_flight_is_gone_from_the_others_within_two_seconds() {
    const REQUESTS: usize = 500;
    let valkey = Valkey::start(&[]).await;
    let mut site = Site::of(3, 3, &valkey.url()).await;
    let gate = Gate::closed();
    site.engines.iter().for_each(|engine| engine.answer(Answer::Held(gate.clone())));
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..REQUESTS {
        let mut connection = site.envoys[2].connect(Protocol::Http1).await;
        asked.spawn(async move {
            let _fails_with_its_picker =
                connection.send(chat(None, &prompt(&format!("held {number}"), 1_000), "?")).await.is_ok();
        });
    }
    for homing in &site.homings[..2] {
        homing.books(REQUESTS as u64).await;
    }
    site.homings[2].kill();
    let killed = std::time::Instant::now();
    for homing in &site.homings[..2] {
        patiently(Duration::from_secs(10), "nothing is counted any more", async || {
            (homing.in_flight().await == 0).then_some(())
        })
        .await;
    }
    // Not a measurement: the promise itself, of which 500 ms are left for a busy machine.
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    gate.open();
    asked.shutdown().await;
    for homing in &site.homings[..2] {
        homing.ledger_reads_zero().await;
    }
}
