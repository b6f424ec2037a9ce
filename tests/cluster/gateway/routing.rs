//! Where requests go: by session, by prefix, by load, and by the weights of the ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

use super::attached::{Attached, picked};
use crate::kubernetes::Traffic;
use crate::node::Placed;
use crate::support::prompts::chat_stream;
use crate::support::{Protocol, chat, eventually, prompt};

/// Engines that compute a prompt of 256 KB for some seconds, and keep it.
const SLOW: [&str; 4] = ["--prefill-tokens-per-second", "10000", "--cache-tokens", "100000"];

#[tokio::test]
async fn requests_go_by_session_by_prefix_by_load_and_by_weights_that_change_while_traffic_flows() {
    let attached = Attached::start(&SLOW, &[]).await;
    sessions(&attached).await;
    weights(&attached).await;
    prefixes(&attached).await;
}

/// New sessions spread, the first request among them, and each returns to its home.
async fn sessions(attached: &Attached) {
    let mut connection = attached.connect(Protocol::Http1).await;
    let mut homes = BTreeMap::new();
    for turn in 0..2 {
        // So many that none is left without one by chance.
        for session in 0..40 {
            let session = format!("session-{session}");
            let reply = connection.exchange(chat(Some(&session), "short", &format!("question {turn}"))).await.ok();
            assert_eq!(reply.session(), session);
            let home = homes.entry(session).or_insert_with(|| reply.served_by().to_owned());
            assert_eq!(reply.served_by(), home, "a session stays, whichever replica is asked");
            assert_eq!(picked(&reply).0, home, "what was picked is what happens");
        }
    }
    let engines: BTreeSet<&str> = attached.release.engines.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(homes.values().map(String::as_str).collect::<BTreeSet<_>>(), engines);
}

/// A long prompt goes where its beginning is held, unless that one is busy.
async fn prefixes(attached: &Attached) {
    let release = &attached.release;
    // One alone knows at once of all that is in flight.
    release.upgrade(&["replicas=1", "config.scorers.prefixLocality.weight=2"]).await;
    let replica = release.replicas(1).await;
    attached.sends_to(&replica, &release.engines).await;
    let popular = prompt("popular", 16_000);
    let mut connection = attached.connect(Protocol::Http1).await;
    let holder = connection.exchange(chat(None, &popular, "a first question")).await.ok().served_by().to_owned();
    for turn in 0..3 {
        let reply = connection.exchange(chat(None, &popular, &format!("question {turn}"))).await.ok();
        assert_eq!((reply.served_by(), picked(&reply)), (holder.as_str(), (holder.as_str(), "prefix")));
    }

    let long = chat_stream(None, &(popular.clone() + &prompt("a-long-document", 256_000)), "summarise");
    let mut other = attached.connect(Protocol::Http1).await;
    let busy = tokio::spawn(async move { other.exchange(long).await });
    eventually("the long prompt is booked", async || (release.in_flight(&replica[0]).await > 0).then_some(())).await;
    let reply = connection.exchange(chat(None, &popular, "another question")).await.ok();
    assert!(!busy.is_finished(), "the long prompt keeps its engine busy");
    assert_ne!(reply.served_by(), holder);
    assert_eq!(picked(&reply).1, "load");
    assert_eq!(busy.await.expect("nobody panics").ok().served_by(), holder, "its beginning is held there");
}

/// An upgrade that changes a weight changes picks, and nothing is started anew.
async fn weights(attached: &Attached) {
    let traffic = Traffic::over(attached.connect(Protocol::Http1).await, &prompt("common", 16_000)).await;
    let release = &attached.release;
    let holders = served(attached, &traffic, 2.0).await;
    assert!((1..=2).contains(&holders.len()), "{holders:?}");
    release.upgrade(&["config.scorers.prefixLocality.weight=0", "config.scorers.sessionAffinity.weight=0"]).await;
    let all = served(attached, &traffic, 0.0).await;
    assert!(all.len() > 2, "{all:?}");
    assert_eq!(release.replicas(attached.replicas.len()).await, attached.replicas, "nothing was started anew");
    traffic.ends_well();
}

/// Who serves `traffic` once prefixes weigh so much in all replicas.
async fn served(attached: &Attached, traffic: &Traffic, weight: f64) -> BTreeSet<String> {
    let weighs = async |replica: &Placed| attached.release.weight(replica, "prefixLocality").await == weight;
    for replica in &attached.replicas {
        eventually(&format!("prefixes weigh {weight}"), async || weighs(replica).await.then_some(())).await;
    }
    // One may be under way that was picked before.
    let from = traffic.count() + 1;
    traffic.flows().await;
    traffic.served_since(from).into_keys().collect()
}
