//! The command line: checks that name what is wrong, and flags as manifests write them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::files::{config_document, endpoints_document};
use crate::support::homing::binary;
use crate::support::process::{Process, run};
use crate::support::{Connection, Engine, Homing, Protocol, body, get, post};

#[test]
fn check_accepts_a_good_file() {
    let every_field = "\
sessions: {headers: [x-session-id, x-session-affinity], generate: true, affinity: soft, idleTimeout: 1h, maxSessions: 1000000}
scorers: {sessionAffinity: {weight: 1, outdatedTokens: 512}, prefixLocality: {weight: 2, loadGrowth: 0.05}, queueDepth: {weight: 1}, adapterLocality: {weight: 1, loadTokens: 2000}}
prefixIndex: {blockBytes: 512, bytesPerToken: 4, defaultCacheTokens: 500000}
limits: {requestBody: 32MiB, bufferedBodies: 1GiB, bodyWait: 10s}
engineMetrics: {enabled: true, interval: 1s, timeout: 1s, engine: vllm, path: /metrics, port: 8000}";
    for fields in ["", every_field] {
        let (good, text) = check(&config_document(fields));
        assert!(good, "{text}");
    }
}

#[test]
fn check_names_the_field_the_line_and_the_nearest_valid_name() {
    let (good, text) = check(&config_document("scorers:\n  queueDepth: {weight: 1}\n  prefixLocallity: {weight: 2}"));
    assert!(!good);
    for named in ["prefixLocallity", "prefixLocality", "5"] {
        assert!(text.contains(named), "{named:?} is not named: {text}");
    }
}

#[test]
fn check_refuses_values_out_of_range_and_files_that_are_no_documents() {
    for fields in ["scorers: {queueDepth: {weight: -1}}", "limits: {requestBody: much}", "sessions: {affinity: firm}"] {
        let (good, text) = check(&config_document(fields));
        assert!(!good, "{fields} passed: {text}");
        let field = fields.trim_end_matches('}').rsplit([':', '{']).nth(1).expect("a field").trim();
        assert!(text.contains(field), "{field} is not named: {text}");
    }
    for text in ["kind: [unclosed", "kind: SomethingElse\n"] {
        assert!(!check(text).0, "{text:?} passed");
    }
    let (status, text) = run(&binary(), &["check", "/nowhere/at-all.yaml"]);
    assert!(!status.success());
    assert!(text.contains("/nowhere/at-all.yaml"), "{text}");
}

#[test]
fn check_reads_an_endpoints_file_too() {
    let (good, text) = check_with(
        &["--endpoints"],
        "endpoints: [{name: r1, address: 127.0.0.1, port: 8001, weight: 2, drain: true}]\n",
    );
    assert!(good, "{text}");
    let (good, text) = check_with(&["--endpoints"], "endpoints:\n  - {name: r1, adress: 127.0.0.1, port: 8001}\n");
    assert!(!good);
    for named in ["adress", "`address`", "2"] {
        assert!(text.contains(named), "{named:?} is not named: {text}");
    }
}

#[test]
fn check_knows_an_endpoints_file_when_it_sees_one() {
    let indented = "  endpoints:\n    - {name: r1, adress: 127.0.0.1, port: 8001}\n";
    let json = r#"{"endpoints": [{"name": "r1", "adress": "127.0.0.1", "port": 8001}]}"#;
    for text in ["endpoints:\n  - {name: r1, adress: 127.0.0.1, port: 8001}\n", indented, json] {
        let (good, text) = check(text);
        assert!(!good && text.contains("`address`"), "{text}");
    }
}

#[tokio::test]
async fn a_simulated_engine_answers_as_an_openai_server_does() {
    let mut command = Command::new(binary());
    command.args(["engine", "--bind", "127.0.0.1", "--port", "0", "--name", "r7", "--log-format", "json"]);
    let mut engine = Process::spawn("engine", command);
    let line = engine.log_line("its port", 0, |line| line["port_name"] == "http").await;
    let address = line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address");
    let mut connection = Connection::open(address, Protocol::Http1).await.expect("the engine accepts");
    let text = r#"{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3, "stream": true,
        "stream_options": {"include_usage": true}}"#;
    let reply = connection.exchange(post("/v1/chat/completions", body::full(text))).await.ok();
    assert_eq!(reply.served_by(), "r7");
    let events = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(events.contains("\"completion_tokens\":3") && events.ends_with("data: [DONE]\n\n"), "{events}");
    let metrics = connection.exchange(get("/metrics")).await.ok();
    let page = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(page.contains("vllm:generation_tokens_total{") && page.contains("vllm:cache_config_info{"), "{page}");
}

#[test]
fn an_unknown_flag_is_an_error_that_names_the_nearest() {
    for arguments in [&["serve", "--grpc-prt", "1"][..], &["--grpc-prt=1"], &["serve", "--grpc-prt=1"]] {
        let (status, text) = run(&binary(), arguments);
        assert!(!status.success(), "{arguments:?}");
        assert!(text.contains("--grpc-port"), "{arguments:?}: {text}");
    }
}

#[test]
fn help_names_every_flag_of_serve() {
    let (status, text) = run(&binary(), &["serve", "--help"]);
    assert!(status.success(), "{text}");
    let flags = "endpoints-file pool-name pool-namespace endpoint-selector endpoint-target-ports \
                 endpoint-app-protocol ready-grace config-file config-map bind grpc-port grpc-health-port metrics-port admin-port secure-serving cert-path cert-name \
                 log-format explain-header drain-timeout config-text conformance-test-headers";
    for flag in flags.split(' ') {
        assert!(text.contains(&format!("--{flag}")), "--{flag} is missing: {text}");
    }
}

#[tokio::test]
async fn flags_without_a_command_serve_and_take_values_after_a_blank_or_an_equals_sign() {
    let engine = Engine::start("r1").await;
    let ports = "--bind=127.0.0.1 --grpc-port=0 --grpc-health-port 0 --metrics-port=0 --admin-port 0";
    for command in ["serve ", ""] {
        let folder = TempDir::new().expect("a folder for temporary files");
        let endpoints = folder.path().join("endpoints.yaml");
        fs::write(&endpoints, endpoints_document(&[engine.entry()])).expect("the folder takes files");
        let line = format!(
            "{command}--endpoints-file={} {ports} --secure-serving=false --log-format=json",
            endpoints.display()
        );
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let homing = Homing::start_with(folder, &arguments).await;
        assert_eq!(homing.loads().await.len(), 1);
    }
}

#[tokio::test]
async fn a_configuration_may_be_given_as_text_and_one_of_another_picker_means_the_defaults() {
    let engine = Engine::start("r1").await;
    let theirs = "---\napiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins: [{type: queue-scorer}]\n";
    for (text, affinity, warned) in
        [("sessions: {affinity: hard}", "hard", None), (theirs, "soft", Some("plugins ignored"))]
    {
        let homing =
            Homing::start(&[engine.entry()], None, &["--config-text", text, "-v", "4", "--tracing=false"]).await;
        let page = homing.page("admin", "/config").await.ok();
        assert_eq!(page.json()["sessions"]["affinity"], affinity);
        let log = homing.log();
        assert_eq!(log.contains("EndpointPickerConfig"), warned.is_some(), "{log}");
        assert!(log.contains(warned.unwrap_or_default()), "{log}");
        assert!(log.contains("HOMING_LOG") && log.contains("--tracing"), "what was ignored is named: {log}");
    }
    let given = ["serve", "--endpoints-file", "f", "--config-text"];
    for (rest, named) in [(&["sesions: {}"][..], "`sessions`"), (&["{}", "--config-file", "f"], "--config-file")] {
        let (status, text) = run(&binary(), &[&given, rest].concat());
        assert!(!status.success() && text.contains(named), "{rest:?}: {text}");
    }
}

#[test]
fn serve_without_its_endpoints_file_ends_with_an_error_that_names_it() {
    let (status, text) = run(&binary(), &["serve", "--endpoints-file", "/nowhere/at-all.yaml", "--grpc-port", "0"]);
    assert!(!status.success());
    assert!(text.contains("/nowhere/at-all.yaml"), "{text}");
}

#[test]
fn a_wrong_homing_log_is_named_once_and_help_tells_of_it() {
    let mut command = Command::new(binary());
    command.args(["serve", "--endpoints-file", "f"]).env("HOMING_LOG", "homing=loud");
    let output = command.output().expect("it can be run");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.matches("HOMING_LOG").count() == 1, "{text}");
    assert_eq!(text.matches("error parsing level filter").count(), 1, "{text}");
    let (_, text) = run(&binary(), &["serve", "--help"]);
    assert!(text.contains("HOMING_LOG"), "{text}");
}

#[test]
fn check_says_what_it_prints_and_its_exit_codes() {
    let (_, text) = run(&binary(), &["check", "--help"]);
    for said in ["ok", "FILE:LINE:COLUMN", "exits with 0", "exits with 1"] {
        assert!(text.contains(said), "{said:?} is missing: {text}");
    }
    assert!(!text.contains("default: false"), "{text}");
}

#[test]
fn serve_needs_exactly_one_source_of_endpoints_and_says_which_there_are() {
    for arguments in [&["serve"][..], &["serve", "--pool-name", "p", "--endpoints-file", "f"]] {
        let (status, text) = run(&binary(), arguments);
        assert!(!status.success());
        for flag in ["--pool-name", "--endpoint-selector", "--endpoints-file"] {
            assert!(text.contains(flag), "{flag} is not named: {text}");
        }
    }
}

#[test]
fn serve_with_a_pool_ends_with_an_error_where_no_api_server_is_known() {
    let mut command = Command::new(binary());
    command.args(["serve", "--pool-name", "p", "--grpc-port", "0"]).env_clear().env("KUBECONFIG", "/nowhere/at-all");
    let output = command.output().expect("Homing can be run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("KUBECONFIG") && text.contains("ServiceAccount"), "{text}");
}

/// Whether `homing check` accepts a file of this text, and what it says.
fn check(text: &str) -> (bool, String) {
    check_with(&[], text)
}

/// The same, with flags of `homing check`.
fn check_with(flags: &[&str], text: &str) -> (bool, String) {
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("config.yaml");
    fs::write(&file, text).expect("the folder takes files");
    let (status, output) = run(&binary(), &[&["check", path(&file)], flags].concat());
    (status.success(), output)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
