//! Homing with the arguments, the ServiceAccount and the Role of a release, as a process beside the API server.

use std::ffi::OsStr;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::helm::chart;
use super::lifecycle::DEPLOYMENT;
use super::site::Site;
use crate::kubernetes::ControlPlane;
use crate::permissions::each_right_is_used;
use crate::support::{Homing, eventually};

/// What a process beside others has its own way: ports, TLS, logs, what only a pod finds by its name, and its files.
const OWN: [&str; 6] =
    ["--secure-serving", "--log-format", "--cert-", "--config-file", "--shared-state", "--state-group"];

/// The Homing of release `rel`, once it is ready.
async fn homing(site: &Site) -> Homing {
    let deployment = site.get(DEPLOYMENT, "rel-homing").await.expect("the Deployment");
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    let arguments: Vec<String> = serde_json::from_value(arguments).expect("arguments are texts");
    let kept = arguments[1..].iter().map(String::as_str).filter(|flag| !OWN.iter().any(|own| flag.starts_with(own)));
    let folder = TempDir::new().expect("a folder for temporary files");
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, site.kubeconfig("rel-homing").await).expect("the folder takes files");
    let environment: [(&str, &OsStr); 2] =
        [("KUBECONFIG", kubeconfig.as_os_str()), ("HOSTNAME", OsStr::new("rel-homing-0"))];
    let mut homing = Homing::launch(folder, &kept.collect::<Vec<_>>(), &environment).await;
    homing.is_ready().await;
    homing
}

/// The weight of the prefix scorer that is in force.
async fn weight(homing: &Homing) -> Value {
    homing.page("admin", "/config").await.ok().json()["scorers"]["prefixLocality"]["weight"].clone()
}

async fn upgrade(site: &Site, value: &str) {
    let chart = chart();
    let upgrade = ["upgrade", "rel", chart.to_str().expect("a plain path"), "--reset-then-reuse-values"];
    site.release(&upgrade, &[value]);
}

/// Installs a release, runs it, and sees to it that it uses all that its Role allows and nothing else.
async fn uses_exactly_its_role(values: &[&str]) {
    let site = Site::new().await;
    site.install("rel", values);
    let homing = homing(&site).await;
    // A document that only Homing can refuse: it tells by an Event, twice the same one.
    upgrade(&site, "config.limits.bufferedBodies=1KiB").await;
    upgrade(&site, "config.prefixIndex.mediaTokens=999").await;
    let role = site.get(("rbac.authorization.k8s.io", "v1", "Role"), "rel-homing").await.expect("the Role");
    let role = serde_json::from_value(role).expect("a Role");
    each_right_is_used(ControlPlane::shared().await, &site.namespace, "rel-homing", &role).await;
    drop(homing);
}

#[tokio::test]
async fn a_release_with_a_pool_uses_exactly_its_role() {
    uses_exactly_its_role(&["pool.create=true", "engines.selector.app=llama"]).await;
}

#[tokio::test]
async fn a_release_without_a_pool_uses_exactly_its_role() {
    uses_exactly_its_role(&["engines.selector.app=llama"]).await;
}

#[tokio::test]
async fn a_weight_that_an_upgrade_changes_is_in_force_without_a_restart_and_so_is_its_rollback() {
    let site = Site::new().await;
    site.install("rel", &["pool.create=true", "engines.selector.app=llama"]);
    let homing = homing(&site).await;
    let is = async |wanted: Value| {
        eventually(&format!("the weight is {wanted}"), async || (weight(&homing).await == wanted).then_some(())).await;
    };
    is(json!(2.0)).await;
    upgrade(&site, "config.scorers.prefixLocality.weight=7").await;
    is(json!(7.0)).await;
    site.release(&["rollback", "rel"], &[]);
    is(json!(2.0)).await;
}
