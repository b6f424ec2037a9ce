//! Services of the type LoadBalancer on the node of processes.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::node::site::engines_of;
use crate::node::{Cluster, Placed};
use crate::support::{Connection, Protocol, chat, eventually};

#[tokio::test]
async fn a_load_balancer_gets_an_address_whose_ports_lead_to_ready_pods_until_it_is_deleted() {
    let cluster = Cluster::restricted().await;
    let mut engines = engines_of(2, None);
    engines["spec"]["template"]["spec"]["containers"][0]["ports"][0]["name"] = json!("http");
    cluster.apply_object(engines).await;
    let engines = cluster.ready("app=engine", 2).await;
    let ports = |port: u16| json!([{"name": "number", "port": 80, "targetPort": 8000}, {"name": "name", "port": port, "targetPort": "http"}]);
    cluster.apply_object(service(&ports(8080))).await;
    let address = address(&cluster).await;
    for port in [80, 8080] {
        serve(SocketAddr::new(address, port), &engines).await;
    }

    cluster.apply_object(service(&ports(9090))).await;
    eventually("the new port is open", async || serves(SocketAddr::new(address, 9090)).await).await;
    assert!(TcpStream::connect((address, 8080)).await.is_err(), "the old one is closed");

    cluster.delete_pod(&engines[0].name).await;
    let others = cluster.ready("app=engine", 2).await;
    serve(SocketAddr::new(address, 80), &others).await;

    cluster.kubectl(&["delete", "service", "engines"]).await;
    eventually("it is closed", async || TcpStream::connect((address, 80)).await.is_err().then_some(())).await;
}

fn service(ports: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "engines"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "engine"}, "ports": ports},
    })
}

/// What a cloud writes into the Service's status.
async fn address(cluster: &Cluster) -> IpAddr {
    let api = cluster.api::<Service>();
    cluster
        .eventually("the Service has an address", async || {
            let ingress = api.get("engines").await.ok()?.status?.load_balancer?.ingress?;
            ingress.first()?.ip.as_ref()?.parse().ok()
        })
        .await
}

/// Waits until each of these has answered there, and nobody else does.
async fn serve(address: SocketAddr, engines: &[Placed]) {
    let mut seen = BTreeSet::new();
    eventually("all pods behind it answer", async || {
        seen.insert(serves(address).await?);
        (seen.len() >= engines.len()).then_some(())
    })
    .await;
    assert_eq!(seen, engines.iter().map(|pod| pod.name.clone()).collect());
}

/// Who answers there, over a connection of its own.
async fn serves(address: SocketAddr) -> Option<String> {
    let mut connection = Connection::open(address, Protocol::Http1).await?;
    let reply = crate::support::Reply::read(connection.send(chat(None, "short", "hello")).await.ok()?).await.ok()?;
    Some(reply.served_by().to_owned())
}
