//! `helm test`: the chart's hook pod asks whether all is well, with the rights of Homing.

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
    for check in ["permissions", "pool", "endpoints", "ports", "metrics", "shared-state", "tls", "health"] {
        assert!(well.contains(&format!("ok       {check} ")), "{check} in {well}");
    }
    assert!(!well.contains("\nwarning") && !well.contains("\nfailure"), "{well}");
    let table = message(&release).await;
    assert!(well.lines().all(|line| table.contains(line)), "{table} is not {well}");

    cluster.kubectl(&["delete", "rolebinding", NAME]).await;
    let refused = release.refusal(&["test", "rel", "--timeout", "2m"]).await;
    assert!(refused.contains(DOCTOR), "{refused}");
    let ill = cluster.log(DOCTOR).split_off(well.len());
    assert!(ill.contains("failure  permissions") && ill.contains("fix: "), "{ill}");
    let table = message(&release).await;
    assert!(table.starts_with("failure  permissions") && table.contains("fix: "), "{table}");
}

/// What its last pod has left, read as the notes say.
async fn message(release: &Release) -> String {
    let path = "jsonpath={.status.containerStatuses[0].state.terminated.message}";
    release.cluster.kubectl(&["get", "pod", DOCTOR, "-o", path]).await
}
