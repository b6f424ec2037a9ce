//! Real clients: the OpenAI and Anthropic SDKs, and requests in the engines' own words, to simulated engines.

use std::path::Path;

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::parts;
use crate::support::process::run;
use crate::support::prompts::{prompt, with};
use crate::support::simulated::Simulation;
use crate::support::{Connection, Protocol, Reply, body, post};

#[tokio::test]
async fn the_openai_sdk_hears_what_the_engine_said_and_its_conversations_return() {
    drive("openai").await;
}

#[tokio::test]
async fn the_anthropic_sdk_hears_what_the_engine_said_and_its_conversations_return() {
    drive("anthropic").await;
}

#[test]
fn the_recorded_requests_are_what_the_sdks_send() {
    let arguments = ["record.py".to_owned(), "--check".to_owned(), below_tests("data/clients")];
    python(&arguments).expect("the files are up to date");
}

#[tokio::test]
async fn requests_in_the_words_of_vllm_and_sglang_are_answered_and_return() {
    let simulation = Simulation::of(3).await;
    let ids: Vec<u64> = (1..2_000).collect();
    for (path, ask) in [
        ("/inference/v1/generate", json!({"token_ids": ids, "sampling_params": {"max_tokens": 4}})),
        ("/inference/v1/generate", json!({"token_ids": ids, "sampling_params": {"max_tokens": 4}, "stream": true})),
        ("/generate", json!({"text": prompt("generate", 8_000), "sampling_params": {"max_new_tokens": 4}})),
        ("/generate", json!({"input_ids": ids, "sampling_params": {"max_new_tokens": 4}, "stream": true})),
    ] {
        for session in ["a", "b", "c", "d"] {
            let mut connection = simulation.envoy.connect(Protocol::Http1).await;
            let mut served = Vec::new();
            for _turn in 0..2 {
                let request = with(post(path, body::full(ask.to_string())), "x-session-id", session);
                let reply = connection.exchange(request).await.ok();
                assert_eq!(reply.session(), session, "{path}");
                let engine = simulation.engines.iter().find(|engine| engine.name == reply.served_by());
                let direct = engine.expect("one of the engines answered").address;
                let mut direct = Connection::open(direct, Protocol::Http1).await.expect("the engine accepts");
                let direct = direct.exchange(post(path, body::full(ask.to_string()))).await.ok();
                assert_eq!(said(&reply), said(&direct), "{path}");
                served.push(reply.served_by().to_owned());
            }
            assert_eq!(served[0], served[1], "{path}, session {session}");
        }
    }
    let mut connection = simulation.envoy.connect(Protocol::Http1).await;
    let lost = connection.exchange(with(post("/nowhere", body::full("{}")), "x-session-id", "lost")).await;
    assert_eq!((lost.status, lost.session()), (StatusCode::NOT_FOUND, "lost"));
    simulation.homing.ledger_reads_zero().await;
}

async fn drive(sdk: &str) {
    let simulation = Simulation::of(3).await;
    let mut arguments = vec!["drive.py".to_owned(), sdk.to_owned(), format!("http://{}", simulation.envoy.address())];
    arguments.extend(simulation.engines.iter().map(|engine| format!("{}=http://{}", engine.name, engine.address)));
    // In a thread of its own: this one looks after the processes.
    let script = tokio::task::spawn_blocking(move || python(&arguments));
    script.await.expect("the thread ends").expect("the script succeeds");
    simulation.homing.ledger_reads_zero().await;
}

/// The token ids of an answer, or of every event of a stream.
fn said(reply: &Reply) -> Vec<Value> {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let documents = text.lines().map(|line| line.trim_start_matches("data: ")).filter(|line| line.starts_with('{'));
    let ids = |document: Value| {
        let places = ["/choices/0/token_ids", "/output_ids"];
        places.iter().find_map(|place| document.pointer(place).cloned()).expect("token ids")
    };
    let ids: Vec<Value> = documents.map(|line| ids(serde_json::from_str(line).expect("JSON"))).collect();
    assert!(!ids.is_empty(), "{text}");
    ids
}

/// Runs a script of `tests/clients/` to its end; what it wrote is the error where it failed.
fn python(arguments: &[String]) -> Result<(), String> {
    let script = below_tests(&format!("clients/{}", arguments[0]));
    let arguments: Vec<&str> = ["-B", &script].into_iter().chain(arguments[1..].iter().map(String::as_str)).collect();
    let (status, output) = run(&parts::clients(), &arguments);
    if status.success() { Ok(()) } else { Err(output) }
}

fn below_tests(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path).display().to_string()
}
