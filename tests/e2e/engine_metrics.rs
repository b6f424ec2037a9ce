//! What engines say of themselves moves picks, and what they do not say stops none.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{World, body, chat, eventually, post};

const SGLANG: &str = include_str!("../data/sglang-metrics.txt");
/// Scraped often, so that no test waits for it.
const OFTEN: &str = "engineMetrics: {interval: 50ms}";

/// What the admin port says of one endpoint.
async fn endpoint(world: &World, name: &str) -> Value {
    let document = world.homing.page("admin", "/endpoints").await.ok().json();
    let endpoints = document.as_array().expect("an array of endpoints");
    endpoints.iter().find(|endpoint| endpoint["name"] == name).expect("it is in the pool").clone()
}

/// Waits until the admin port says this of an endpoint.
async fn says(world: &World, name: &str, what: &str, said: impl Fn(&Value) -> bool) {
    eventually(&format!("{name}: {what}"), async || said(&endpoint(world, name).await).then_some(())).await;
}

/// A short request by a session of its own, which names `model`; returns who served it.
async fn ask(world: &World, model: &str, session: usize) -> String {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let request = post("/v1/chat/completions", body::full(json!({"model": model, "messages": messages}).to_string()));
    let request = crate::support::prompts::with(request, "x-session-id", &format!("session-{session}"));
    world.exchange(request).await.ok().served_by().to_owned()
}

#[tokio::test]
async fn a_request_goes_to_the_engine_that_has_its_adapter() {
    let world = World::builder(3).config(OFTEN).start().await;
    world.engine("r2").say_metrics(
        "vllm:num_requests_waiting{engine=\"0\",model_name=\"base\"} 0.0\n\
         vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"} 1.7886264546e+09\n\
         vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"chat, sql\",waiting_lora_adapters=\"\"} 1.7886264577e+09\n",
    );
    says(&world, "r2", "two adapters are loaded", |endpoint| endpoint["adapters"] == 2).await;
    for session in 0..12 {
        assert_eq!(ask(&world, "sql", session).await, "r2");
    }
    let decision = world.homing.decision().await.document;
    let choices = decision["choices"].as_array().expect("choices");
    let charged: Vec<_> = choices.iter().map(|choice| &choice["charged"]["adapterLocality"]).collect();
    assert_eq!(charged, [&json!(0.0), &json!(2000.0), &json!(2000.0)]);

    let mut served = BTreeSet::new();
    for session in 0..30 {
        served.insert(ask(&world, "base", session).await);
    }
    assert!(served.len() > 1, "a model that is no adapter goes anywhere, not only to {served:?}");
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn load_that_others_sent_is_read_from_sglangs_page_and_moves_picks() {
    let world = World::builder(2).config(OFTEN).start().await;
    world.engine("r1").say_metrics(SGLANG);
    says(&world, "r1", "load that no booking explains", |endpoint| {
        endpoint["engine"] == "sglang" && endpoint["inFlight"] == 9 && endpoint["waitingTokens"].as_f64() > Some(0.0)
    })
    .await;
    let told = endpoint(&world, "r1").await;
    // 3,100 pages of 64 tokens, 4 bytes each, in prefix blocks of 512 bytes.
    assert_eq!((&told["kvUsage"], &told["capacityBlocks"]), (&json!(0.41), &json!(1_550)));
    for session in 0..12 {
        assert_eq!(ask(&world, "test-model", session).await, "r2");
    }
}

#[tokio::test]
async fn engines_whose_metrics_have_stopped_serve_by_what_was_booked() {
    let world = World::builder(2).config("engineMetrics: {interval: 50ms, timeout: 100ms}").start().await;
    world.engines.iter().for_each(|engine| engine.say_metrics(SGLANG));
    for name in ["r1", "r2"] {
        says(&world, name, "a queue", |endpoint| endpoint["waitingTokens"].as_f64() > Some(0.0)).await;
    }
    world.engines.iter().for_each(|engine| engine.hang_metrics());
    world.homing.ledger_reads_zero().await;
    let stale = endpoint(&world, "r1").await;
    assert!(stale["scrapeAge"].as_f64() > Some(0.0) && stale["kvUsage"].is_null(), "{stale}");
    let mut served = BTreeSet::new();
    for session in 0..30 {
        served.insert(ask(&world, "test-model", session).await);
    }
    assert_eq!(served.len(), 2, "both are in service");
    let page = world.homing.page("metrics", "/metrics").await.ok();
    let page = String::from_utf8(page.body.to_vec()).expect("metrics are text");
    for family in
        ["homing_endpoint_scrape_age_seconds{endpoint=\"r1\"}", "homing_endpoint_picks_total{endpoint=\"r1\"}"]
    {
        assert!(page.contains(family), "{family} in {page}");
    }
    assert!(!page.contains("homing_scrapes_total{outcome=\"timeout\"} 0\n"), "{page}");
}

#[tokio::test]
async fn a_page_of_unknown_names_is_complained_of_once() {
    let world = World::builder(1).config(OFTEN).start().await;
    world.engine("r1").say_metrics("some_other_requests_waiting 5\n");
    let complaints = || world.homing.log().matches("none of the names").count();
    eventually("the log complains", async || (complaints() > 0).then_some(())).await;
    let before = world.engine("r1").scrapes();
    eventually("more scrapes", async || (world.engine("r1").scrapes() > before + 3).then_some(())).await;
    assert_eq!(complaints(), 1);
    world.exchange(chat(None, "short", "hello")).await.ok();
}
