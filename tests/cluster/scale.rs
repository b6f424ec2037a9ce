//! Many pods.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use tempfile::TempDir;

use crate::kubernetes::{ControlPlane, POOL, PORT, PodOf, Site, Traffic, World, endpoints, serves};
use crate::support::eventually;
use crate::support::files::config_document;

/// Requests to the API server at once.
const AT_ONCE: usize = 16;

#[tokio::test]
async fn one_pod_becomes_fifty_and_then_three_and_no_request_fails() {
    let mut world = World::of(1, &[]).await;
    let traffic = Traffic::start(&world).await;
    let names: Vec<String> = (1..=50).map(|number| format!("r{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for name in &names[1..] {
        world.site.add(name, &[PORT]).await;
    }
    world.serves(&names).await;
    let many = traffic.count();
    traffic.flows().await;
    assert!(traffic.served_since(many).len() > 3, "new pods get their share");

    for name in &names[3..] {
        // Engines go on for a while after their pods were deleted, as they do with a preStop sleep.
        world.site.namespace.delete_pod(name).await;
    }
    world.serves(&names[..3]).await;
    let few = traffic.count();
    traffic.flows().await;
    traffic.flows().await;
    // The first of them may have been picked before.
    let served = traffic.served_since(few + 1);
    assert!(served.keys().all(|name| names[..3].contains(&name.as_str())), "{served:?}");
    traffic.ends_well();
}

#[tokio::test]
async fn two_thousand_pods_are_followed() {
    let site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    // Nobody answers at these addresses: what it costs to try would say nothing of what it costs to watch.
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("config.yaml");
    fs::write(&file, config_document("engineMetrics: {enabled: false}")).expect("the folder takes files");
    let flags = ["--config-file", file.to_str().expect("a plain path")];
    let homing = site.homing(&flags).await;
    let empty = homing.resident_mib();
    let pod = |number: u16| {
        let [high, low] = number.to_be_bytes();
        PodOf::new(&format!("engine-{number}"), Ipv4Addr::new(10, 1, high, low))
    };
    let started = Instant::now();
    stream::iter(0..2_000).for_each_concurrent(AT_ONCE, async |number| site.namespace.pod(&pod(number)).await).await;
    let made = started.elapsed();
    eventually("2,000 endpoints", async || (endpoints(&homing).await.len() == 2_000).then_some(())).await;
    let known = started.elapsed();
    println!(
        "Homing holds {:.1} MiB without a pod and {:.1} MiB with 2,000; they were made in {made:.1?} and known after {known:.1?}",
        empty,
        homing.resident_mib(),
    );

    // A replica that starts now gets them all in one list.
    let started = Instant::now();
    let other = site.homing(&flags).await;
    assert_eq!(endpoints(&other).await.len(), 2_000, "ready means that all are known");
    println!("a new replica is ready after {:.1?} and holds {:.1} MiB", started.elapsed(), other.resident_mib());

    stream::iter(3..2_000)
        .for_each_concurrent(AT_ONCE, async |number| site.namespace.remove_pod(&pod(number).name).await)
        .await;
    serves(&homing, &["engine-0", "engine-1", "engine-2"]).await;
    serves(&other, &["engine-0", "engine-1", "engine-2"]).await;
}
