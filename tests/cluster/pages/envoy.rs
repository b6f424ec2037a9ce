//! `docs/install-envoy.md`: its commands on one machine, in a network that nothing else uses, and those in a cluster.

use std::net::SocketAddr;

use super::page::Page;
use super::place::{NAMESPACE, Place, headers, is_well, served};
use super::shell::Shell;
use crate::node::images::{Image, Images};
use crate::node::network::Network;
use crate::support::{envoy, eventually, homing};

/// The image of Envoy that the page names.
const ENVOY: &str = "envoyproxy/envoy:v1.40.0";

#[tokio::test]
async fn the_commands_of_the_envoy_page_install_verify_tune_upgrade_and_remove_as_it_promises() {
    let network = Network::add().await.expect("a network");
    let mut machine = Shell::apart(&network.path(), &homing::binary(), &envoy::binary(None));
    let envoy = Image::program(envoy::binary(None), "envoy");
    let mut place = Place::with(Images::standard().with(ENVOY, envoy)).await;
    let mut engines = Page::load("install-envoy-gateway.md", "### Engines, if you have none yet");
    place.next(&mut engines, "Before you begin").await;
    let engines = place.engines().await;
    let mut page = Page::load("install-envoy.md", "### On one machine");

    page.next("Install", &mut machine).await;
    both_ways(&mut page, &mut machine).await;
    place.next(&mut page, "Install").await;
    place.next(&mut page, "Install").await;
    let (pickers, address) = (place.pickers().await, gateway(&place).await);

    on_one_machine(&mut page, &mut machine).await;
    place.cluster.eventually("Envoy asks Homing", async || served(address).await).await;
    let said = place.next(&mut page, "Verify").await;
    is_well(&said);
    assert_eq!(headers(&said, "x-session-id")[0].len(), 36, "{said}");
    assert!(engines.contains(headers(&said, "x-served-by")[0]), "{said}");

    let said = page.next("Tune", &mut machine).await;
    assert!(said.starts_with("ok\n"), "{said}");
    let weighs = async || machine.run(CONFIG).await.contains(r#""prefixLocality":{"weight":3"#).then_some(());
    eventually("the weight is in force", weighs).await;
    place.next(&mut page, "Tune").await;
    place.weighs(&pickers, 3.0).await;
    assert_eq!(place.pickers().await, pickers, "nothing was started anew");

    page.next("Upgrade", &mut machine).await;
    let answers = async || machine.run(REQUEST).await.contains("200 OK").then_some(());
    eventually("the new Homing is asked", answers).await;
    place.next(&mut page, "Upgrade").await;
    assert!(served(address).await.is_some(), "it serves as before");

    machine.run("kill $HOMING; wait $HOMING").await;
    let said = machine.run(REQUEST).await;
    assert!(said.contains("500 Internal Server Error") && said.contains("content-length: 0"), "{said}");
    page.next("Remove", &mut machine).await;
    assert_eq!(machine.run("jobs -pr").await, "", "nothing runs");
    place.next(&mut page, "Remove").await;
    place.shell.run("kubectl delete namespace/llm").await;
    assert_eq!(page.count, 14, "these are all of the page");
    page.ends();
}

/// What is in force on one machine.
const CONFIG: &str = "curl -sS http://localhost:9004/config";
/// A request there.
const REQUEST: &str = r#"curl -sS -i http://localhost:8080/v1/chat/completions \
    -d '{"model": "simulated", "messages": [{"role": "user", "content": "Hello"}]}'"#;

/// Each of the two files leads to engines.
async fn both_ways(page: &mut Page, machine: &mut Shell) {
    for way in ["ORIGINAL_DST", "override_host"] {
        let answers = async || {
            let said = machine.run(REQUEST).await;
            said.contains("200 OK").then_some(said)
        };
        let said = eventually(&format!("a request passes with {way}"), answers).await;
        assert!(["r1", "r2", "r3"].contains(&headers(&said, "x-served-by")[0]), "{said}");
        // The second way, then the check of a file.
        page.next("Install", machine).await;
    }
}

/// What the page promises of its requests.
async fn on_one_machine(page: &mut Page, machine: &mut Shell) {
    let said = page.next("Verify", machine).await;
    assert!(said.contains("\n0 failures, ") && said.contains("HTTP/1.1 200 OK"), "{said}");
    let (engine, decision) = (headers(&said, "x-served-by")[0], headers(&said, "x-homing-decision")[0]);
    assert_eq!(headers(&said, "x-session-id")[0].len(), 36, "{said}");
    assert!(decision.contains(&format!("picked {engine} (")), "{said}");
    assert!(said.contains(&format!(": picked {engine} (127.0.0.1:")), "the decision is explained: {said}");
    let said = page.next("Verify", machine).await;
    let (homes, decisions) = (headers(&said, "x-served-by"), headers(&said, "x-homing-decision"));
    assert_eq!(homes[0], homes[1], "{said}");
    assert!(decisions[1].ends_with("(session)"), "{said}");
}

/// Where clients send their requests, as the Service's status says.
async fn gateway(place: &Place) -> SocketAddr {
    let path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
    let address = place.cluster.kubectl(&["-n", NAMESPACE, "get", "service", "envoy", "-o", path]).await;
    SocketAddr::new(address.parse().expect("an address"), 80)
}
