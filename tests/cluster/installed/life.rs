//! A release from its installation to its end.

use std::collections::{BTreeMap, BTreeSet};

use super::release::{PODS, Release};
use crate::chart::site::contents;
use crate::kubernetes::Traffic;
use crate::node::{Load, Placed};
use crate::support::{Protocol, chat, eventually, prompt};

/// Requests a second.
const RATE: u32 = 100;

#[tokio::test]
async fn both_replicas_become_ready_by_the_charts_probes_and_route_through_envoy() {
    let release = Release::of(3).await;
    release.install(&["replicas=2"]).await;
    let replicas = release.replicas(2).await;
    let gateway = release.gateway(&replicas).await;
    let mut connection = gateway.envoy.connect(Protocol::Http1).await;
    let mut homes = BTreeMap::new();
    for turn in 0..3 {
        for session in 0..20 {
            let session = format!("session-{session}");
            let reply = connection.exchange(chat(Some(&session), "short", &format!("question {turn}"))).await.ok();
            assert_eq!(reply.session(), session);
            let home = homes.entry(session).or_insert_with(|| reply.served_by().to_owned());
            assert_eq!(reply.served_by(), home, "a session stays, whichever replica is asked");
        }
    }
    let engines: BTreeSet<&str> = release.engines.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(homes.values().map(String::as_str).collect::<BTreeSet<_>>(), engines);
    for replica in &replicas {
        assert!(release.picks(replica).await >= 10.0, "{} takes its part", replica.name);
    }
}

#[tokio::test]
async fn a_weight_changes_picks_by_an_upgrade_and_back_by_a_rollback_without_a_restart_or_a_failed_request() {
    let release = Release::of(4).await;
    release.install(&["replicas=2"]).await;
    let replicas = release.replicas(2).await;
    let gateway = release.gateway(&replicas).await;
    let load = Load::start(gateway.envoy.address(), RATE).await;
    // Sessions that share a long prompt go where it is; until it has heard of that place, the other replica has one too.
    let traffic = Traffic::through(&gateway.envoy, &prompt("popular", 16_000)).await;
    let holders = served(&release, &replicas, &traffic, 2.0).await;
    assert!((1..=2).contains(&holders.len()), "{holders:?}");

    let by_load = ["config.scorers.prefixLocality.weight=0", "config.scorers.sessionAffinity.weight=0"];
    release.upgrade(&by_load).await;
    let all = served(&release, &replicas, &traffic, 0.0).await;
    assert!(all.len() > 2, "{all:?}");

    release.helm(&["rollback", "rel"]).await;
    let again = served(&release, &replicas, &traffic, 2.0).await;
    assert!(again.is_subset(&holders), "{again:?} were not all among {holders:?}");

    assert_eq!(release.replicas(2).await, replicas, "nothing was started anew");
    assert_eq!(load.failures(), BTreeMap::new());
    traffic.ends_well();
}

/// Who serves `traffic` once this weight is in force in all replicas.
async fn served(release: &Release, replicas: &[Placed], traffic: &Traffic, weight: f64) -> BTreeSet<String> {
    eventually(&format!("prefixes weigh {weight}"), async || {
        for replica in replicas {
            if release.weight(replica, "prefixLocality").await != weight {
                return None;
            }
        }
        Some(())
    })
    .await;
    // One may be under way that was picked before.
    let from = traffic.count() + 1;
    traffic.flows().await;
    traffic.served_since(from).into_keys().collect()
}

#[tokio::test]
async fn an_uninstalled_release_ends_its_pods_and_leaves_nothing() {
    let release = Release::of(1).await;
    let cluster = &release.cluster;
    let before = contents(&cluster.client, &cluster.namespace).await;
    release.install(&["replicas=2"]).await;
    let replicas = release.replicas(2).await;
    release.helm(&["uninstall", "rel", "--wait"]).await;
    cluster.eventually("no pod is left", async || cluster.pods(PODS).await.is_empty().then_some(())).await;
    for replica in &replicas {
        let log = cluster.log(&replica.name);
        assert!(log.contains("\"drained\""), "{} ended by itself: {log}", replica.name);
    }
    cluster
        .eventually("nothing is left", async || {
            (contents(&cluster.client, &cluster.namespace).await == before).then_some(())
        })
        .await;
}
