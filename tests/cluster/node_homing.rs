//! Homing as a pod: with its own ServiceAccount, Role, ConfigMap and probes.

use std::collections::BTreeSet;

use crate::node::Site;
use crate::node::site::Wishes;
use crate::support::{Protocol, chat};

#[tokio::test]
async fn homing_runs_as_a_pod_with_the_rights_of_its_role_and_routes_to_pods_through_envoy() {
    let site =
        Site::start(Wishes { replicas: 1, engines: 3, pre_stop: None, config: "sessions: {affinity: soft}" }).await;
    let gateway = site.gateway().await;
    let mut connection = gateway.connect(Protocol::Http1).await;
    let mut seen = BTreeSet::new();
    for n in 0..30 {
        let session = format!("session-{n}");
        let first = connection.exchange(chat(Some(&session), "short", "hello")).await.ok();
        let second = connection.exchange(chat(Some(&session), "short", "hello again")).await.ok();
        assert_eq!(first.served_by(), second.served_by());
        seen.insert(first.served_by().to_owned());
    }
    let engines: BTreeSet<String> = site.engines.iter().map(|pod| pod.name.clone()).collect();
    assert_eq!(seen, engines);
}
