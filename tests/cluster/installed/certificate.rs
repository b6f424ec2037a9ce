//! A certificate from a Secret that somebody else writes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::release::Release;
use crate::node::{Load, Placed};
use crate::support::certificates::{Pair, shown};
use crate::support::eventually;

#[tokio::test]
async fn a_certificate_that_is_replaced_in_its_secret_is_shown_without_a_restart_or_a_failed_request() {
    let release = Release::of(2).await;
    let (first, second) = (Pair::until(2040), Pair::until(2041));
    release.cluster.apply_object(secret(&first)).await;
    release.install(&["replicas=2", "tls.existingSecret=picker"]).await;
    let replicas = release.replicas(2).await;
    show(&replicas, &first).await;
    let gateway = release.gateway(&replicas).await;
    let load = Load::start(gateway.envoy.address(), 50).await;

    release.cluster.apply_object(secret(&second)).await;
    show(&replicas, &second).await;
    load.flows(100).await;
    assert_eq!(load.failures(), BTreeMap::new());
    assert_eq!(release.replicas(2).await, replicas, "nothing was started anew");
}

fn secret(pair: &Pair) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "picker"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key},
    })
}

/// Waits until each replica shows this certificate.
async fn show(replicas: &[Placed], pair: &Pair) {
    for replica in replicas {
        eventually(&format!("{} shows the certificate", replica.name), async || {
            (shown((replica.address, 9002).into()).await == pair.der).then_some(())
        })
        .await;
    }
}
