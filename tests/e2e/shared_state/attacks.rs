//! What else may be in the log: garbage, other releases, other pools.

use homing::proto::sync::{Load, Update};
use redis::cmd;

use crate::support::{Valkey, eventually};

use super::load::Load as Traffic;
use super::site::Site;

const KEY: &str = "homing:{site}:news";

async fn write(valkey: &Valkey, field: &str, bytes: &[u8]) {
    valkey.send::<String>(cmd("XADD").arg(KEY).arg("*").arg(field).arg(bytes)).await.expect("it is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_counted_and_changes_nothing() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(2, 3, &valkey.url()).await;
    let load = Traffic::on(&site);
    for round in 0..50_u8 {
        write(&valkey, "v1", &[round; 40]).await;
        write(&valkey, "v1", &vec![0xff; 3 << 20]).await;
        write(&valkey, "something", b"else").await;
    }
    for homing in &site.homings {
        eventually("all of it is counted", async || {
            (homing.count("homing_shared_state_refused_total").await >= 150).then_some(())
        })
        .await;
    }
    load.goes_on(20).await;
    load.all_went_well().await;
    site.hear_each_other().await;
}

#[tokio::test]
async fn a_neighbouring_release_is_understood_as_far_as_it_is_known() {
    let valkey = Valkey::start(&[]).await;
    let site = Site::of(1, 2, &valkey.url()).await;
    let entry = site.engines[0].entry();
    let endpoint = homing::model::Endpoint::new(&entry.name, entry.address);
    let load = Load { endpoint: endpoint.placement(), in_flight: 7, ..Load::default() };
    let epoch = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis() as u64;
    // As the first release told it, without a name; then with fields that nobody knows yet.
    let older = Update { replica: 77, epoch, sequence: 1, loads: vec![load], ..Update::default() };
    write(&valkey, "v1", &homing::state::encode(&older)).await;
    site.homings[0].books(7).await;
    let newer = Update { sequence: 2, loads: vec![Load { in_flight: 9, ..load }], ..older };
    let unknown = [0xa2, 0x06, 3, b'n', b'e', b'w', 0xa8, 0x06, 9];
    write(&valkey, "v1", &[homing::state::encode(&newer), unknown.to_vec()].concat()).await;
    site.homings[0].books(9).await;
    site.homings[0].ledger_reads_zero().await;
}

#[tokio::test]
async fn a_key_of_somebody_else_is_left_as_it_is_and_named() {
    let valkey = Valkey::start(&[]).await;
    valkey.ask::<()>(&format!("SET {KEY} theirs")).await;
    let url = valkey.url();
    let flags = vec!["--shared-state", url.as_str(), "--shared-state-warm-up", "200ms"];
    let site = Site::with(2, &[flags]).await;
    eventually("it is counted", async || {
        let series = "homing_shared_state_failures_total{reason=\"wrong-type\"}";
        (site.homings[0].count(series).await > 0).then_some(())
    })
    .await;
    site.chat(0, None, "Hello").await;
    assert_eq!(valkey.ask::<String>(&format!("GET {KEY}")).await, "theirs");
}

#[tokio::test]
async fn the_log_stays_within_its_bytes() {
    let valkey = Valkey::start(&[]).await;
    let url = valkey.url();
    let flags = vec!["--shared-state", url.as_str(), "--shared-state-log", "1MiB"];
    let site = Site::with(2, &[flags]).await;
    for _ in 0..8 {
        // Four times what it may hold, over more than a second.
        write(&valkey, "v1", &vec![0xff; 1 << 19]).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    eventually("what is too old is gone", async || {
        let used: u64 = valkey.ask(&format!("MEMORY USAGE {KEY}")).await;
        (used < 2 << 20).then_some(())
    })
    .await;
    site.chat(0, None, "Hello").await;
}
