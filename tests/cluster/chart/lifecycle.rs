//! A release from its installation to its end, at the real API server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::helm::{IMAGE, chart};
use super::site::Site;
use crate::support::eventually;

const CONFIG_MAP: (&str, &str, &str) = ("", "v1", "ConfigMap");
pub const DEPLOYMENT: (&str, &str, &str) = ("apps", "v1", "Deployment");
/// A release with an object of every kind.
pub const EVERYTHING: &[&str] = &[
    "pool.create=true",
    "engines.selector.app=llama",
    "httpRoute.enabled=true",
    "httpRoute.parentRefs[0].name=gateway",
    "tls.certManager.enabled=true",
    "tls.certManager.issuerRef.name=ca",
    "gateway=istio",
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "dashboard.enabled=true",
    "networkPolicy.enabled=true",
    "autoscaling.enabled=true",
];

impl Site {
    pub fn release(&self, command: &[&str], values: &[&str]) -> String {
        let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
        self.helm.run(&[command, &["--namespace", &self.namespace], &values].concat())
    }

    pub fn install(&self, release: &str, values: &[&str]) {
        let chart = chart();
        let command = ["install", release, chart.to_str().expect("a plain path")];
        self.release(&[&command[..], &IMAGE].concat(), values);
    }

    /// Everything but what controllers make, in their own time.
    async fn made(&self) -> BTreeSet<(String, String)> {
        let mut contents = self.contents().await;
        contents.retain(|(kind, _)| !["EndpointSlice", "Endpoints", "Pod", "ReplicaSet"].contains(&kind.as_str()));
        contents
    }

    async fn configuration(&self, release: &str) -> String {
        let name = format!("{release}-homing-config");
        let object = self.get(CONFIG_MAP, &name).await.expect("the ConfigMap");
        object["data"]["config.yaml"].as_str().expect("a document").to_owned()
    }

    /// What the Deployment says of its pods; a change of it starts them anew.
    async fn pods(&self, release: &str) -> Value {
        let object = self.get(DEPLOYMENT, &format!("{release}-homing")).await.expect("the Deployment");
        object["spec"]["template"].clone()
    }
}

#[tokio::test]
async fn a_release_is_installed_upgraded_rolled_back_and_taken_away_without_a_trace() {
    let site = Site::new().await;
    let before = site.contents().await;
    site.install("rel", EVERYTHING);
    let kinds: BTreeSet<String> = site.contents().await.into_iter().map(|(kind, _)| kind).collect();
    for kind in ["Certificate", "DestinationRule", "HTTPRoute", "InferencePool", "PrometheusRule", "ServiceMonitor"] {
        assert!(kinds.contains(kind), "{kind} in {kinds:?}");
    }
    let (first, pods) = (site.configuration("rel").await, site.pods("rel").await);
    assert!(!first.contains("weight"), "{first}");

    let chart = chart();
    let upgrade = ["upgrade", "rel", chart.to_str().expect("a plain path"), "--reset-then-reuse-values"];
    site.release(&upgrade, &["config.scorers.prefixLocality.weight=3"]);
    let second = site.configuration("rel").await;
    assert!(second.contains("prefixLocality:\n    weight: 3"), "{second}");
    assert_eq!(site.pods("rel").await, pods, "a new weight starts no pod anew: Homing watches the ConfigMap");

    site.release(&upgrade, &["image.tag=next"]);
    assert_ne!(site.pods("rel").await, pods);
    site.release(&["rollback", "rel", "1"], &[]);
    assert_eq!((site.configuration("rel").await, site.pods("rel").await), (first, pods));

    site.release(&["uninstall", "rel"], &[]);
    // Where controllers run, they collect what they made of it.
    eventually("nothing is left", async || (site.contents().await == before).then_some(())).await;
}

#[tokio::test]
async fn an_edit_by_hand_holds_up_the_next_upgrade_until_it_is_told_to_take_over() {
    let site = Site::new().await;
    site.install("rel", &["pool.name=llama"]);
    let edited = json!({"data": {"config.yaml": "apiVersion: homing.dev/v1alpha1\nkind: PickerConfig\nlimits: {strict: true}\n"}});
    site.edit(CONFIG_MAP, "rel-homing-config", &edited).await;
    let chart = chart();
    let weight = "config.scorers.prefixLocality.weight=3";
    let upgrade = ["upgrade", "rel", chart.to_str().expect("a plain path"), "--reset-then-reuse-values"];
    let refused = site.helm.refusal(&[&upgrade[..], &["--namespace", &site.namespace, "--set", weight]].concat());
    assert!(refused.contains("conflict") && refused.contains("kubectl-edit"), "{refused}");
    site.release(&[&upgrade[..], &["--force-conflicts"]].concat(), &[weight]);
    assert!(site.configuration("rel").await.contains("weight: 3"));
    // A failed upgrade leaves nothing that holds up the next one.
    site.release(&upgrade, &["config.scorers.prefixLocality.weight=4"]);
    assert!(site.configuration("rel").await.contains("weight: 4"));
}

#[tokio::test]
async fn an_autoscaler_that_is_switched_on_begins_with_one_replica_and_what_it_set_is_taken_back_by_force() {
    let site = Site::new().await;
    site.install("rel", &["pool.name=llama", "replicas=3"]);
    let replicas =
        async || site.get(DEPLOYMENT, "rel-homing").await.expect("the Deployment")["spec"]["replicas"].clone();
    assert_eq!(replicas().await, 3);
    let chart = chart();
    let upgrade = ["upgrade", "rel", chart.to_str().expect("a plain path"), "--reset-then-reuse-values"];
    site.release(&upgrade, &["autoscaling.enabled=true"]);
    assert_eq!(replicas().await, 1, "Helm gave up the field, and the API server sets its default");
    site.edit(DEPLOYMENT, "rel-homing", &json!({"spec": {"replicas": 4}})).await;
    site.release(&upgrade, &["image.tag=next"]);
    assert_eq!(replicas().await, 4, "an upgrade leaves alone what the autoscaler set");
    let off = ["--namespace", &site.namespace, "--set", "autoscaling.enabled=false"];
    let refused = site.helm.refusal(&[&upgrade[..], &off].concat());
    assert!(refused.contains("conflict"), "{refused}");
    site.release(&[&upgrade[..], &["--force-conflicts"]].concat(), &["autoscaling.enabled=false"]);
    assert_eq!(replicas().await, 3);
}

#[tokio::test]
async fn a_pool_of_the_chart_stays_where_its_annotation_says_so() {
    let site = Site::new().await;
    let keep = r"pool.annotations.helm\.sh/resource-policy=keep";
    site.install("rel", &["pool.create=true", "engines.selector.app=llama", keep]);
    site.release(&["uninstall", "rel"], &[]);
    let pool = ("inference.networking.k8s.io", "v1", "InferencePool");
    assert!(site.get(pool, "rel-homing").await.is_some());
    assert!(site.get(DEPLOYMENT, "rel-homing").await.is_none());
}

#[tokio::test]
async fn two_releases_live_in_one_namespace_and_one_outlives_the_other() {
    let site = Site::new().await;
    let before = site.contents().await;
    site.install("one", EVERYTHING);
    let one = site.made().await;
    site.install("two", EVERYTHING);
    assert!(site.made().await.len() - before.len() == 2 * (one.len() - before.len()), "each has objects of its own");
    let selector = async |release: &str| {
        let deployment = site.get(DEPLOYMENT, &format!("{release}-homing")).await.expect("the Deployment");
        deployment["spec"]["selector"].clone()
    };
    assert_ne!(selector("one").await, selector("two").await, "neither takes the other's pods for its own");
    site.release(&["uninstall", "two"], &[]);
    assert_eq!(site.made().await, one);
}

#[tokio::test]
async fn a_release_of_the_same_name_lives_in_another_namespace() {
    let (here, there) = (Site::new().await, Site::new().await);
    let values = ["engines.selector.app=llama"];
    here.install("rel", &values);
    there.install("rel", &values);
    let subject = async |site: &Site| {
        let binding = site.get(("rbac.authorization.k8s.io", "v1", "RoleBinding"), "rel-homing").await;
        binding.expect("the RoleBinding")["subjects"][0]["namespace"].clone()
    };
    assert_eq!(subject(&here).await, here.namespace.as_str());
    assert_eq!(subject(&there).await, there.namespace.as_str());
}
