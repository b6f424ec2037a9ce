//! The configuration in a ConfigMap.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kubernetes::{CONFIG_MAP, ControlPlane, POOL, PORT, Site, Traffic, World};
use crate::support::files::config_document;
use crate::support::{Homing, eventually};

/// A configuration in which nothing but the weight of the queue is said.
pub fn weight(weight: f64) -> Value {
    json!({"config.yaml": config_document(&format!("scorers: {{queueDepth: {{weight: {weight}}}}}"))})
}

/// The weight that is in force.
pub async fn in_force(homing: &Homing) -> f64 {
    let config = homing.page("admin", "/config").await.ok().json();
    config["scorers"]["queueDepth"]["weight"].as_f64().expect("a weight")
}

pub async fn comes_into_force(homing: &Homing, wanted: f64) {
    eventually(&format!("the weight is {wanted}"), async || (in_force(homing).await == wanted).then_some(())).await;
}

/// A world whose ConfigMap holds `data`.
async fn world(data: Value, flags: &[&str]) -> World {
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    site.namespace.configure(data).await;
    site.add("r1", &[PORT]).await;
    let homing = site.homing(&[&["--config-map", CONFIG_MAP], flags].concat()).await;
    site.serve(homing).await
}

#[tokio::test]
async fn a_hundred_edits_under_load_come_into_force_and_fail_no_request() {
    let world = world(weight(1.0), &[]).await;
    assert_eq!(in_force(&world.homing).await, 1.0, "it is in force from the first request on");
    let traffic = Traffic::start(&world).await;
    for edit in 1..=100 {
        let wanted = 1.0 + f64::from(edit);
        world.site.namespace.configure(weight(wanted)).await;
        comes_into_force(&world.homing, wanted).await;
    }
    traffic.flows().await;
    assert_eq!(world.homing.metric("homing_config_reloads_total{outcome=\"good\"}").await, Some(101.0));
    traffic.ends_well();
}

#[tokio::test]
async fn a_bad_document_keeps_the_last_good_one_and_says_so_in_an_event_the_log_and_a_metric() {
    let mut world = world(weight(3.0), &[]).await;
    let bad = |field: &str| json!({"config.yaml": config_document(&format!("scorers: {{{field}: {{weight: 4}}}}"))});
    let bad_reads = "homing_config_reloads_total{outcome=\"bad\"}";
    let mark = world.homing.log_mark();
    world.site.namespace.configure(bad("queueDept")).await;
    let line = world.homing.complains(mark).await;
    assert!(line["error"].as_str().is_some_and(|error| error.contains("did you mean `queueDepth`?")), "{line}");
    let event = world.site.namespace.events(1).await.remove(0);
    assert_eq!((event.reason.as_deref(), event.type_.as_deref()), (Some("InvalidConfiguration"), Some("Warning")));
    assert_eq!(event.reporting_instance.as_deref(), Some("homing-0"));
    let note = event.note.as_deref().expect("a note");
    assert!(note.contains("scorers.queueDept: unknown field (did you mean `queueDepth`?)"), "{note}");
    assert_eq!((in_force(&world.homing).await, world.homing.metric(bad_reads).await), (3.0, Some(1.0)));
    world.chat(None, "short").await.ok();

    // The same mistake again is counted; another is another Event.
    let mut again = bad("queueDept");
    again["other"] = json!("something that nobody reads");
    world.site.namespace.configure(again).await;
    eventually("the Event is counted up", async || {
        let event = world.site.namespace.events(1).await.remove(0);
        event.series.filter(|series| series.count == 2)
    })
    .await;
    world.site.namespace.configure(bad("prefixLocalty")).await;
    assert_eq!(world.site.namespace.events(2).await.len(), 2);
    assert_eq!(in_force(&world.homing).await, 3.0);

    world.site.namespace.configure(weight(5.0)).await;
    comes_into_force(&world.homing, 5.0).await;
}

#[tokio::test]
async fn a_configmap_that_is_deleted_or_lacks_its_key_keeps_the_last_good_configuration() {
    let world = world(weight(3.0), &[]).await;
    world.site.namespace.delete_configuration().await;
    let event = world.site.namespace.events(1).await.remove(0);
    assert_eq!(event.reason.as_deref(), Some("ConfigurationDeleted"));
    assert_eq!(in_force(&world.homing).await, 3.0);

    world.site.namespace.configure(json!({"picker.yaml": config_document("")})).await;
    let events = world.site.namespace.events(2).await;
    let missing = events.iter().find(|event| event.reason.as_deref() == Some("ConfigurationMissing"));
    let note = missing.and_then(|event| event.note.as_deref()).expect("an Event says so");
    assert!(note.contains("config.yaml") && note.contains("picker.yaml"), "{note}");
    assert_eq!(in_force(&world.homing).await, 3.0);

    world.site.namespace.configure(weight(4.0)).await;
    comes_into_force(&world.homing, 4.0).await;
}

#[tokio::test]
async fn an_event_that_may_not_be_written_yet_is_written_once_it_may_be() {
    let mut world = world(weight(3.0), &[]).await;
    world.site.namespace.forbid("events").await;
    world.site.namespace.configure(json!({"config.yaml": "scorers: {queueDept: {}}"})).await;
    let refused = |line: &Value| {
        line["message"].as_str().is_some_and(|message| message.contains("Event on the ConfigMap could not be written"))
    };
    world.homing.says("the Event is refused", 0, refused).await;
    world.site.namespace.apply_rbac().await;
    let event = world.site.namespace.events(1).await.remove(0);
    assert_eq!(event.reason.as_deref(), Some("InvalidConfiguration"));
}

#[tokio::test]
async fn the_key_of_the_document_can_be_named() {
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    site.add("r1", &[PORT]).await;
    let named = format!("{CONFIG_MAP}/picker.yaml");
    let homing = site.homing(&["--config-map", &named]).await;
    assert_eq!(in_force(&homing).await, 1.0, "without a ConfigMap the defaults hold");
    let mut data = weight(9.0);
    data["picker.yaml"] = weight(2.0)["config.yaml"].clone();
    site.namespace.configure(data).await;
    comes_into_force(&homing, 2.0).await;
}

#[tokio::test]
async fn a_configmap_that_may_not_be_read_falls_back_to_the_file() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("config.yaml");
    let write = |value: f64| {
        let text = weight(value)["config.yaml"].as_str().expect("a document").to_owned();
        fs::write(&file, text).expect("the folder takes files");
    };
    write(6.0);
    let mut site = Site::new(ControlPlane::shared().await).await;
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    site.namespace.configure(weight(3.0)).await;
    site.namespace.forbid("configmaps").await;
    site.add("r1", &[PORT]).await;
    let file = file.to_str().expect("a plain path");
    let homing = site.homing(&["--config-map", CONFIG_MAP, "--config-file", file]).await;
    assert_eq!(in_force(&homing).await, 6.0);
    write(7.0);
    comes_into_force(&homing, 7.0).await;

    site.namespace.apply_rbac().await;
    comes_into_force(&homing, 3.0).await;
    // Then the file says nothing any more: not even a good read of it is counted.
    write(8.0);
    let good_reads = "homing_config_reloads_total{outcome=\"good\"}";
    let before = homing.count(good_reads).await;
    for edit in 1..=10 {
        site.namespace.configure(weight(3.0 + f64::from(edit))).await;
        comes_into_force(&homing, 3.0 + f64::from(edit)).await;
    }
    assert_eq!(homing.count(good_reads).await, before + 10);
}

#[tokio::test]
async fn a_homing_that_starts_with_a_bad_document_takes_its_file_and_says_that_this_is_not_good() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("config.yaml");
    let document = weight(6.0);
    fs::write(&file, document["config.yaml"].as_str().expect("a document")).expect("the folder takes files");
    let file = file.to_str().expect("a plain path");
    let world = world(json!({"config.yaml": "scorers: {queueDept: {}}"}), &["--config-file", file]).await;
    assert_eq!(in_force(&world.homing).await, 6.0);
    assert_eq!(world.homing.metric("homing_config_good").await, Some(0.0));
    world.site.namespace.configure(weight(3.0)).await;
    comes_into_force(&world.homing, 3.0).await;
    assert_eq!(world.homing.metric("homing_config_good").await, Some(1.0));
}
