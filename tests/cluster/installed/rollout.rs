//! A rolling update of Homing itself, under load.

use std::collections::BTreeMap;

use super::release::{PODS, Release};
use crate::node::Load;

/// Requests a second.
const RATE: u32 = 100;

#[tokio::test]
async fn a_rolling_update_of_two_replicas_under_load_fails_no_request() {
    rolling_update(2).await;
}

#[tokio::test]
async fn a_rolling_update_of_the_only_replica_under_load_fails_no_request() {
    rolling_update(1).await;
}

/// Changes the template of Homing's pods twice, by an upgrade and by its rollback.
async fn rolling_update(replicas: usize) {
    let release = Release::of(3).await;
    release.install(&[&format!("replicas={replicas}")]).await;
    let mut before = release.replicas(replicas).await;
    let gateway = release.gateway(&before).await;
    let load = Load::start(gateway.envoy.address(), RATE).await;
    for update in ["upgrade", "rollback"] {
        match update {
            "upgrade" => release.upgrade(&["picker.logLevel=debug"]).await,
            _ => drop(release.helm(&["rollback", "rel", "--wait", "--timeout", "3m"]).await),
        }
        let after = release.replicas(replicas).await;
        for old in &before {
            assert!(after.iter().all(|new| new.uid != old.uid), "{update}: {} is not new", old.name);
        }
        gateway.sends_to(&after).await;
        let cluster = &release.cluster;
        let only_new = async || (cluster.pods(PODS).await.len() == replicas).then_some(());
        cluster.eventually("the old ones have ended", only_new).await;
        load.flows(200).await;
        assert_eq!(load.failures(), BTreeMap::new(), "{update}");
        for replica in &after {
            assert!(release.picks(replica).await > 0.0, "{update}: {} takes its part", replica.name);
        }
        before = after;
    }
}
