//! Replicas of Homing that never talk.

use std::collections::BTreeMap;

use crate::node::site::{GRPC, Wishes};
use crate::node::{Placed, Site};
use crate::support::picker::Picker;

const SESSIONS: usize = 10_000;
const ENGINES: usize = 5;

#[tokio::test]
async fn two_replicas_place_ten_thousand_new_sessions_on_the_same_pods() {
    let site = Site::start(Wishes { replicas: 2, engines: ENGINES, pre_stop: None, config: "" }).await;
    let [first, second] = &site.pickers[..] else { panic!("two replicas: {:?}", site.pickers) };
    let (first, second) = tokio::join!(place_all(first), place_all(second));
    let differ: Vec<usize> = (0..SESSIONS).filter(|session| first[*session] != second[*session]).collect();
    assert!(differ.is_empty(), "{} of {SESSIONS} sessions are placed apart: {differ:?}", differ.len());
    let mut shares: BTreeMap<&str, usize> = BTreeMap::new();
    first.iter().for_each(|pod| *shares.entry(pod).or_default() += 1);
    let fair = SESSIONS / ENGINES;
    assert_eq!(shares.len(), ENGINES);
    assert!(shares.values().all(|share| (fair * 9 / 10..=fair * 11 / 10).contains(share)), "{shares:?}");
}

/// Where `replica` puts each session, one after another, so that no endpoint is ever busier than another.
async fn place_all(replica: &Placed) -> Vec<String> {
    let picker = Picker::connect((replica.address, GRPC).into()).await;
    let mut placed = Vec::with_capacity(SESSIONS);
    for session in 0..SESSIONS {
        placed.push(picker.place(&format!("session-{session}")).await);
    }
    placed
}
