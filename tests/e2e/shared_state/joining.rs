//! A replica that joins knows what the others know before it is ready, and is ready all the same where that cannot be.

use std::time::Duration;

use crate::support::prompts::prompt;
use crate::support::wait::patiently;
use crate::support::{Valkey, eventually};

use super::site::Site;

#[tokio::test]
async fn a_replica_that_joins_late_picks_as_the_others_from_its_first_request_on() {
    let valkey = Valkey::start(&[]).await;
    let url = valkey.url();
    let mut site = Site::of(1, 4, &url).await;
    let texts: Vec<_> = (0..20).map(|number| prompt(&format!("known {number}"), 6_000)).collect();
    let mut homes = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        homes.push(site.chat(0, Some(&format!("s{number}")), text).await);
    }
    site.is_told().await;
    site.join(&["--shared-state", &url]).await;
    for (number, text) in texts.iter().enumerate() {
        let session = format!("s{number}");
        let session = (number % 2 == 0).then_some(session.as_str());
        assert_eq!(site.chat(1, session, text).await, homes[number]);
        let reason = site.homings[1].decision().await.reason;
        assert_eq!(reason, if session.is_some() { "session" } else { "prefix" });
    }
}

#[tokio::test]
async fn a_rolling_update_of_all_replicas_keeps_what_they_knew() {
    let valkey = Valkey::start(&[]).await;
    let url = valkey.url();
    let mut site = Site::of(2, 3, &url).await;
    let text = prompt("kept", 12_000);
    let home = site.chat(0, Some("s"), &text).await;
    site.is_told().await;
    for _ in 0..2 {
        site.join(&["--shared-state", &url]).await;
        let mut gone = site.homings.remove(0);
        gone.terminate();
        assert!(gone.ended().await.success());
        site.envoys.remove(0);
    }
    assert_eq!(site.chat(1, None, &text).await, home);
    assert_eq!(site.homings[1].decision().await.reason, "prefix");
    assert_eq!(site.chat(0, Some("s"), "And then?").await, home);
    assert_eq!(site.homings[0].decision().await.reason, "session");
}

#[tokio::test]
async fn a_replica_that_joins_after_a_restart_of_the_server_knows_what_is_still_asked_for() {
    let mut valkey = Valkey::start(&[]).await;
    let url = valkey.url();
    let mut site = Site::of(2, 4, &url).await;
    let text = prompt("asked again", 12_000);
    let home = site.chat(0, None, &text).await;
    site.is_told().await;
    let told_again = "homing_shared_state_told_again_total";
    let before = futures_util::future::join_all(site.homings.iter().map(|it| it.count(told_again))).await;
    valkey.kill();
    // Long enough that nobody comes back at once, and somebody writes before the others read.
    tokio::time::sleep(Duration::from_secs(4)).await;
    valkey.restart().await;
    let entry = redis::cmd("XADD").arg("homing:{site}:news").arg("*").arg("v1").arg("somebody was here").to_owned();
    valkey.send::<String>(&entry).await.expect("it is written");
    site.hear_each_other().await;
    for (homing, before) in site.homings.iter().zip(before) {
        eventually("each tells all again", async || (homing.count(told_again).await > before).then_some(())).await;
    }
    site.chat(0, None, &text).await;
    site.is_told().await;
    site.join(&["--shared-state", &url]).await;
    assert_eq!(site.chat(2, None, &text).await, home);
    assert_eq!(site.homings[2].decision().await.reason, "prefix");
}

#[tokio::test]
async fn a_replica_that_joins_knows_a_prompt_whose_first_telling_has_left_the_log() {
    let valkey = Valkey::start(&[]).await;
    let url = valkey.url();
    let flags = ["--shared-state", url.as_str(), "--shared-state-log", "1MiB"];
    let mut site = Site::with(4, &[flags.to_vec()]).await;
    let text = prompt("in use", 12_000);
    let home = site.chat(0, None, &text).await;
    site.is_told().await;
    // Somebody else's news fill the log again and again, while the prompt goes on being asked.
    let key = "homing:{site}:news";
    let before = site.homings[0].count("homing_shared_state_told_again_total").await;
    patiently(Duration::from_secs(90), "all is told again, because the log has lost its beginning", async || {
        for _ in 0..4 {
            let other = vec![0xff_u8; 1 << 17];
            valkey.send::<String>(redis::cmd("XADD").arg(key).arg("*").arg("v1").arg(other)).await.expect("written");
        }
        site.chat(0, None, &text).await;
        let told_again = site.homings[0].count("homing_shared_state_told_again_total").await;
        (told_again > before).then_some(())
    })
    .await;
    site.chat(0, None, &text).await;
    site.is_told().await;
    site.join(&flags).await;
    assert_eq!(site.chat(1, None, &text).await, home);
    assert_eq!(site.homings[1].decision().await.reason, "prefix");
}

#[tokio::test]
async fn without_a_server_a_replica_is_ready_after_its_warm_up_and_finds_it_later() {
    let mut valkey = Valkey::start(&[]).await;
    let url = valkey.url();
    valkey.kill();
    let site = Site::with(2, &[vec!["--shared-state", &url, "--shared-state-warm-up", "300ms"]]).await;
    assert!(site.homings[0].log().contains("ready though its log is not read yet"), "{}", site.homings[0].log());
    site.chat(0, None, "Hello").await;
    valkey.restart().await;
    eventually("it is found", async || {
        (site.homings[0].metric("homing_shared_state_connected{}").await == Some(1.0)).then_some(())
    })
    .await;
}
