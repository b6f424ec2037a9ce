//! Homing, attached to the gateway by its chart.

use serde_json::Value;

use crate::chart::helm::chart;
use crate::gateway::envoy_gateway::{self, EXTENSION, TRAFFIC};
use crate::installed::release::{HOMING_PODS, set};
use crate::node::Placed;
use crate::site::{ENGINES, IMAGE, Site};
use crate::support::Reply;

/// The release, and all that the chart makes of it.
pub const NAME: &str = "homing";

/// What a user sets, with the image of a registry; the last shows in an answer's headers who was picked.
pub fn values() -> [String; 7] {
    let [repository, tag] = IMAGE;
    [
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        format!("engines.selector.app={ENGINES}"),
        "gateway=envoyGateway".to_owned(),
        format!("gatewaySettings.routes={{{ENGINES}}}"),
        "replicas=1".to_owned(),
        "picker.explainHeader=true".to_owned(),
    ]
}

/// Takes round robin away, installs Homing and waits until the gateway asks it; its pod.
pub async fn attach(site: &Site) -> Placed {
    let cluster = site.cluster();
    cluster.kubectl(&["delete", "backendtrafficpolicies.gateway.envoyproxy.io", "round-robin"]).await;
    let (chart, values) = (chart(), values());
    let command = ["install", NAME, chart.to_str().expect("a plain path"), "--wait", "--timeout", "3m"];
    site.release.helm(&[&command[..], &set(&values.each_ref().map(String::as_str))].concat()).await;
    let replica = cluster.ready(HOMING_PODS, 1).await.remove(0);
    for kind in [EXTENSION, TRAFFIC] {
        envoy_gateway::accepted(cluster, kind, NAME).await;
    }
    let name = format!("envoyextensionpolicy/{}/{NAME}/extproc/0", cluster.namespace);
    site.gateway.sends_to(site.release, &name, std::slice::from_ref(&replica)).await;
    replica
}

/// Waits until requests go where Homing says. Envoy goes on as before until it hears of the engines again, for up to
/// 15 s; each request until then would look to Homing as if the engine that it picked had failed.
pub async fn takes_picks(site: &Site) {
    let name = site.engines_cluster();
    let follows = async || {
        let page = site.gateway.page(site.release, "/config_dump?resource=dynamic_active_clusters").await;
        let page: Value = serde_json::from_str(&page).ok()?;
        let mut clusters = page["configs"].as_array()?.iter().map(|config| &config["cluster"]);
        let policy = &clusters.find(|cluster| cluster["name"] == *name)?["load_balancing_policy"];
        policy.to_string().contains("override_host").then_some(())
    };
    site.cluster().eventually("the Envoy has the new policy", follows).await;
    let picked = |reply: &Reply| reply.picked().is_some_and(|(name, _)| name == reply.served_by());
    // By chance one of six is it: so many in a row are not.
    site.answer("who is picked answers", 20, picked).await;
}
