//! `helm test`: the chart's hook pod asks whether all is well, with the rights of Homing.

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;

use super::release::{NAME, Release};

/// The hook's pod.
const DOCTOR: &str = "rel-homing-doctor";

#[tokio::test]
async fn helm_test_finds_nothing_wrong_with_a_release_and_says_what_is_when_a_right_is_missing() {
    let release = Release::of(2).await;
    release.install(&["replicas=2"]).await;
    release.replicas(2).await;
    let cluster = &release.cluster;
    let said = release.helm(&["test", "rel", "--timeout", "2m"]).await;
    assert!(said.contains("Succeeded"), "{said}");
    let well = cluster.log(DOCTOR);
    for check in ["permissions", "pool", "endpoints", "ports", "metrics", "tls", "health"] {
        assert!(well.contains(&format!("ok       {check} ")), "{check} in {well}");
    }
    assert!(!well.contains("\nwarning") && !well.contains("\nfailure"), "{well}");
    let pods: Api<Pod> = cluster.api();
    let stays = pods.get_opt(DOCTOR).await.expect("the API server answers");
    assert!(stays.is_some(), "Helm 3 reads the log only now");

    cluster.kubectl(&["delete", "rolebinding", NAME]).await;
    let refused = release.refusal(&["test", "rel", "--timeout", "2m"]).await;
    assert!(refused.contains(DOCTOR), "{refused}");
    let ill = cluster.log(DOCTOR).split_off(well.len());
    assert!(ill.contains("failure  permissions") && ill.contains("fix: "), "{ill}");
}
