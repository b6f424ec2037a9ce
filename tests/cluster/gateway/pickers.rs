//! Homing's replicas come and go under load.

use std::collections::BTreeMap;

use http::StatusCode;
use rustix::process::Signal;

use super::attached::Attached;
use crate::installed::release::PODS;
use crate::node::{Load, Placed};
use crate::support::{Protocol, chat, eventually};

/// Requests a second.
const RATE: u32 = 100;

#[tokio::test]
async fn a_rolling_update_fails_no_request_and_a_kill_only_what_was_under_way_or_sent_before_it_was_noticed() {
    let attached = Attached::start(&[], &[]).await;
    let load = Load::start(attached.address(), RATE).await;
    // Within the first minute requests go to any replica, also to one that does not listen yet.
    attached.all_are_well().await;
    let replicas = rolling_update(&attached, &load).await;

    let dead = &replicas[0];
    let before = load.next_epoch();
    attached.release.cluster.kill(&dead.name);
    load.flows(100).await;
    let after = load.next_epoch();
    attached
        .release
        .cluster
        .eventually("it was started anew", async || {
            let pods = attached.release.cluster.pods(PODS).await;
            pods.iter().find(|pod| pod.uid == dead.uid).filter(|pod| pod.ready && pod.restarts == 1).map(drop)
        })
        .await;
    load.flows(300).await;
    let failed: Vec<_> = load.answers().into_iter().filter(|answer| !answer.failure.is_empty()).collect();
    println!("a killed replica failed {} requests: {:?}", failed.len(), load.failures());
    for answer in &failed {
        assert!((before..after).contains(&answer.epoch), "{answer:?} came after the kill had been noticed");
    }
    // Each client has one under way, and half of them ask this replica.
    assert!(failed.len() <= 50, "{failed:?}");
    eventually("the one that was started anew is asked again", async || {
        (attached.release.picks(dead).await > 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_hangs_ends_what_it_holds_and_with_its_end_requests_are_answered_again() {
    let attached = Attached::start(&[], &["replicas=1", "livenessProbe.failureThreshold=100"]).await;
    let (cluster, replica) = (&attached.release.cluster, &attached.replicas[0].name);
    attached.connect(Protocol::Http1).await.exchange(chat(None, "short", "hello")).await.ok();
    cluster.signal(replica, Signal::STOP);
    // Nothing else ends it: the route has no timeout, and the liveness probe gives up after a quarter of an hour.
    let reply = attached.connect(Protocol::Http1).await.exchange(chat(None, "short", "hello")).await;
    assert_eq!((reply.status, reply.body.len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    cluster.signal(replica, Signal::CONT);
    eventually("it is asked again", async || {
        let reply = attached.connect(Protocol::Http1).await.exchange(chat(None, "short", "hello")).await;
        (reply.status == StatusCode::OK).then_some(())
    })
    .await;
}

/// Changes the template of Homing's pods.
async fn rolling_update(attached: &Attached, load: &Load) -> Vec<Placed> {
    let (release, before) = (&attached.release, &attached.replicas);
    release.upgrade(&["picker.logLevel=debug"]).await;
    let after = release.replicas(before.len()).await;
    assert!(after.iter().all(|new| before.iter().all(|old| new.uid != old.uid)), "all are new");
    attached.sends_to(&after, &release.engines).await;
    let only_new = async || (release.cluster.pods(PODS).await.len() == after.len()).then_some(());
    release.cluster.eventually("the old ones have ended", only_new).await;
    attached.all_are_well().await;
    load.flows(200).await;
    assert_eq!(load.failures(), BTreeMap::new());
    for replica in &after {
        assert!(release.picks(replica).await > 0.0, "{} takes its part", replica.name);
    }
    after
}
