//! A replica that joins knows what the others know before it is ready, and is ready all the same where that cannot be.

use crate::support::prompts::prompt;
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
