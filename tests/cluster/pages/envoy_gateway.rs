//! `docs/install-envoy-gateway.md`, from the point on where Envoy Gateway is installed.

use std::fs;
use std::net::SocketAddr;

use serde_json::json;

use super::page::Page;
use super::place::{NAMESPACE, Place, answer, headers, is_well, served};
use crate::gateway::envoy_gateway;

/// Where its Envoy Gateway is installed.
const SYSTEM: &str = "envoy-gateway-system";

#[tokio::test]
async fn the_commands_of_the_envoy_gateway_page_install_verify_tune_upgrade_and_remove_as_it_promises() {
    let mut place = Place::with(envoy_gateway::images()).await;
    place.cluster.add_namespace(SYSTEM, json!({})).await;
    install_envoy_gateway(&mut place).await;

    let mut page = Page::load("install-envoy-gateway.md", "### Engines, if you have none yet");
    place.next(&mut page, "Before you begin").await;
    place.next(&mut page, "Before you begin").await;
    let engines = place.engines().await;
    place.next(&mut page, "Install").await;
    let pickers = place.pickers().await;
    is_well(&place.next(&mut page, "Verify").await);

    // Who reads the page takes longer to come to its next lines than Envoy Gateway to tell its Envoy.
    let address = gateway(&place).await;
    place.cluster.eventually("the gateway asks Homing", async || served(address).await).await;
    let said = place.next(&mut page, "Verify").await;
    assert!(said.contains("HTTP/1.1 200 OK"), "{said}");
    assert_eq!(headers(&said, "x-session-id")[0].len(), 36, "{said}");
    assert!(engines.contains(headers(&said, "x-served-by")[0]), "{said}");
    let said = place.next(&mut page, "Verify").await;
    assert_eq!(headers(&said, "x-session-id"), ["chat-42"; 2], "{said}");
    let homes = headers(&said, "x-served-by");
    assert_eq!(homes[0], homes[1], "a session stays");

    let routes = routes(&place).await;
    // No limit on an answer, and none on silence.
    for off in [r#""timeout": "0s""#, r#""idle_timeout": "0s""#] {
        assert!(routes.contains(off), "{routes}");
    }

    place.next(&mut page, "Tune").await;
    place.weighs(&pickers, 3.0).await;
    assert_eq!(place.pickers().await, pickers, "nothing was started anew");

    let said = place.next(&mut page, "Upgrade").await;
    assert!(said.contains("Succeeded"), "{said}");
    place.next(&mut page, "Upgrade").await;
    assert!(served(address).await.is_some(), "it serves as before");

    without_homing(&mut page, &mut place, address).await;

    let said = place.next(&mut page, "Remove").await;
    assert!(said.ends_with("No resources found in llm namespace.\n"), "{said}");
    let gone = async || answer(address).await.filter(|reply| reply.status == 404);
    place.cluster.eventually("the route is gone", gone).await;
    place.next(&mut page, "Remove").await;
    place.next(&mut page, "Remove").await;
    assert_eq!(page.count, 13, "these are all of the page");
    page.ends();
    place.shell.run(&format!("helm -n {SYSTEM} uninstall eg")).await;
}

/// As its own page says, but for what it would fetch, and for what the node does not know.
async fn install_envoy_gateway(place: &mut Place) {
    envoy_gateway::define_all(&place.cluster).await;
    let values = json!({
        "global": {"images": {"envoyProxy": {"image": ""}}},
        "config": {"envoyGateway": {"envoyProxy": envoy_gateway::proxy_spec("LoadBalancer")}},
    });
    let path = place.shell.path("envoy-gateway.json");
    fs::write(&path, values.to_string()).expect("the folder takes files");
    let set: Vec<String> = envoy_gateway::HERE.iter().map(|value| format!("--set {value}")).collect();
    let (chart, path, set) = (envoy_gateway::chart(), path.display(), set.join(" "));
    let install = format!("helm -n {SYSTEM} install eg {} -f {path} {set} --wait --timeout 3m", chart.display());
    place.shell.run(&install).await;
}

/// What the page promises while no Homing is there.
async fn without_homing(page: &mut Page, place: &mut Place, address: SocketAddr) {
    place.shell.run("kubectl -n llm scale deployment/homing --replicas=0").await;
    let refused = async || answer(address).await.filter(|reply| reply.status == 500);
    let reply = place.cluster.eventually("nobody is there to ask", refused).await;
    assert_eq!(reply.body, "", "an empty body");
    page.ahead("When Homing is down", &mut place.shell).await;
    let reply = place.cluster.eventually("the engines are asked by themselves", async || served(address).await).await;
    assert_eq!(reply.session(), "");

    place.shell.run("kubectl -n llm scale deployment/homing --replicas=2").await;
    place.shell.run("helm -n llm upgrade homing charts/homing -f values.yaml").await;
    let asked = async || served(address).await.filter(|reply| !reply.session().is_empty());
    place.cluster.eventually("Homing is asked again", asked).await;
}

/// What its Envoy has for routes.
async fn routes(place: &Place) -> String {
    let selector = "gateway.envoyproxy.io/owning-gateway-name=inference-gateway";
    let proxy = place.cluster.ready_in(SYSTEM, selector, 1).await.remove(0);
    let dump = place.cluster.page_in(SYSTEM, &proxy.name, 19_000, "/config_dump?resource=dynamic_route_configs").await;
    String::from_utf8_lossy(&dump.ok().body).into_owned()
}

/// Where clients send their requests, as the Gateway's status says.
async fn gateway(place: &Place) -> SocketAddr {
    let path = "jsonpath={.status.addresses[0].value}";
    let address = place.cluster.kubectl(&["-n", NAMESPACE, "get", "gateway", "inference-gateway", "-o", path]).await;
    SocketAddr::new(address.parse().expect("an address"), 80)
}
