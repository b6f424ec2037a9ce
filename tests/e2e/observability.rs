//! Everybody can see why: explanations, metrics, health.

use std::collections::BTreeSet;

use http::StatusCode;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::homing::binary;
use crate::support::picker::channel;
use crate::support::process::run;
use crate::support::wait::eventually;
use crate::support::{Answer, Gate, World, chat, engine, get, prompt};

#[tokio::test]
async fn the_decision_header_explains_the_pick_and_comes_only_with_its_flag() {
    let world = World::builder(3).flags(&["--explain-header"]).start().await;
    let gate = Gate::closed();
    gate.open();
    let answers =
        [Answer::Completion, Answer::Events { events: engine::events(2), gate }, Answer::Status(StatusCode::NOT_FOUND)];
    for answer in answers {
        world.engines.iter().for_each(|engine| engine.answer(answer.clone()));
        for request in [chat(None, "short", "hello"), get("/v1/models")] {
            let reply = world.exchange(request).await;
            let explanation = reply.header("x-homing-decision");
            let picked = format!("picked {} (", reply.served_by());
            assert!(explanation.contains(&picked), "{explanation:?} does not say {picked:?}");
            for engine in &world.engines {
                assert!(explanation.contains(&format!("{}: ", engine.name())), "{explanation:?}");
            }
        }
    }
    let silent = World::of(1).await;
    assert_eq!(silent.chat(None, "short", "hello").await.ok().header("x-homing-decision"), "");
}

#[tokio::test]
async fn the_admin_port_explains_the_last_decisions_newest_first() {
    let world = World::of(2).await;
    let story = prompt("story", 8_000);
    let mut served = Vec::new();
    for n in 0..4 {
        served.push(world.chat(Some("somebody"), &story, &n.to_string()).await.ok().served_by().to_owned());
    }
    let decisions = world.homing.decisions(3).await;
    assert_eq!(decisions.len(), 3);
    let refused = world.homing.page("admin", "/decisions?endpoint=r1").await;
    let said = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(refused.status == 400 && said.contains("endpoint") && said.contains("limit"), "{said}");
    for (decision, served_by) in decisions.iter().zip(served.iter().rev()) {
        let document = &decision.document;
        assert_eq!(decision.endpoint, *served_by);
        assert_eq!(document["address"], world.engine(served_by).address().to_string());
        assert_eq!(document["model"], "test-model");
        assert_eq!(document["session"], "header");
        assert_eq!(document["eligible"], 2);
        assert_eq!(document["requestId"].as_str().map(str::len), Some(36), "the gateway's x-request-id");
        let tokens = document["promptTokens"].as_f64().expect("a number of tokens");
        assert!((1_500.0..2_600.0).contains(&tokens), "8,000 bytes are about 2,000 tokens, not {tokens}");
        let choices = document["choices"].as_array().expect("choices");
        assert_eq!(choices.len(), 2);
        assert_eq!(choices[0]["endpoint"], *served_by, "the winner comes first");
        let cost = |choice: usize| choices[choice]["cost"].as_f64().expect("a cost");
        assert!(cost(0) < cost(1), "the home costs less: {choices:?}");
    }
    let times: Vec<u64> = decisions.iter().filter_map(|decision| decision.document["unixMillis"].as_u64()).collect();
    assert!(times.len() == 3 && times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

#[tokio::test]
async fn homing_explain_prints_the_last_pick_for_people() {
    let world = World::of(2).await;
    let served_by = world.chat(Some("somebody"), &prompt("story", 4_000), "why?").await.ok().served_by().to_owned();
    let admin = world.homing.port("admin").to_string();
    let (status, text) = run(&binary(), &["explain", "--admin", &admin, "-n", "1"]);
    assert!(status.success(), "{text}");
    for said in [&format!("picked {served_by} ("), "because of", "model test-model", "session header", "r1", "r2"] {
        assert!(text.contains(said), "{said:?} is not said: {text}");
    }
}

#[tokio::test]
async fn the_index_takes_its_size_from_the_engines_metrics() {
    let world = World::of(1).await;
    // 30,000 blocks of 16 tokens, 4 bytes each, in prefix blocks of 512 bytes.
    eventually("the engine's cache size is known", async || {
        let endpoints = world.homing.page("admin", "/endpoints").await.ok().json();
        (endpoints[0]["capacityBlocks"] == 3_750).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_health_service_says_serving_on_its_own_port_and_on_the_grpc_port() {
    let world = World::of(1).await;
    for port in ["health", "grpc"] {
        let mut health = HealthClient::new(channel(world.homing.port(port)).await);
        for service in ["", "envoy.service.ext_proc.v3.ExternalProcessor"] {
            let request = HealthCheckRequest { service: service.to_owned() };
            let status = health.check(request).await.expect("an answer").into_inner().status();
            assert_eq!(status, ServingStatus::Serving, "{service:?} on the {port} port");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(world.homing.page("metrics", path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_metrics_page_is_well_formed_and_counts_requests() {
    let world = World::of(2).await;
    for n in 0..5 {
        world.chat(Some("somebody"), &prompt("story", 4_000), &n.to_string()).await.ok();
    }
    let page = world.homing.page("metrics", "/metrics").await.ok();
    let text = String::from_utf8(page.body.to_vec()).expect("metrics are text");
    let samples = samples(&text);
    assert!(samples.iter().all(|(name, _, _)| name.starts_with("homing_")), "one prefix for all: {samples:?}");
    let counted = samples.iter().any(|(name, labels, value)| {
        name.ends_with("_total") && labels.contains("reason=\"session\"") && (1.0..=5.0).contains(value)
    });
    assert!(counted, "picks are counted by reason:\n{text}");
}

/// Name, labels and value of every sample, after a look at its form.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    let mut families = BTreeSet::new();
    let mut samples = Vec::new();
    let mut series = BTreeSet::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            match (words.next(), words.next()) {
                (Some("TYPE"), Some(family)) => assert!(families.insert(family.to_owned()), "{family} comes twice"),
                (Some("HELP" | "UNIT"), Some(_)) | (Some("EOF"), None) => {}
                _ => panic!("a strange comment: {line:?}"),
            }
            continue;
        }
        let (name_and_labels, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line:?}: {error}"));
        let (name, labels) = name_and_labels.split_once('{').unwrap_or((name_and_labels, "}"));
        assert!(labels.ends_with('}'), "{line:?}");
        let family = ["_total", "_bucket", "_sum", "_count", "_created", "_info"];
        let family = family.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        assert!(families.contains(family) || families.contains(name), "{name} has no TYPE");
        assert!(series.insert(name_and_labels.to_owned()), "{name_and_labels} comes twice");
        samples.push((name.to_owned(), labels.to_owned(), value));
    }
    assert!(!samples.is_empty(), "no samples at all");
    samples
}
