//! `homing doctor` without a cluster: an endpoints file, engines, and a picker that runs or does not.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::certificates::{Pair, Secret};
use crate::support::doctor::{Diagnosis, doctor, told};
use crate::support::files::{Entry, config_document};
use crate::support::{Engine, Homing, endpoints_document};

/// What can only be looked at with an API server.
const CLUSTER_ONLY: [&str; 6] = ["api-server", "clock", "permissions", "definitions", "gateway-api", "pool"];

struct Files {
    folder: TempDir,
}

impl Files {
    fn new(endpoints: &[Entry]) -> Self {
        let files = Self { folder: TempDir::new().expect("a folder for temporary files") };
        files.write("endpoints.yaml", &endpoints_document(endpoints));
        files
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("the folder takes files");
        path.to_str().expect("a plain path").to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn doctor(&self, flags: &[&str]) -> Diagnosis {
        let endpoints = self.path("endpoints.yaml");
        let endpoints = ["--endpoints-file", endpoints.to_str().expect("a plain path")];
        doctor(&[&endpoints, flags].concat(), &[]).await
    }
}

#[tokio::test]
async fn all_is_well_with_engines_and_a_picker_and_what_needs_a_cluster_is_skipped() {
    let engines = [Engine::start("r1").await, Engine::start("r2").await];
    let entries: Vec<Entry> = engines.iter().map(Engine::entry).collect();
    let files = Files::new(&entries);
    let config = files.write("picker.yaml", &config_document("sessions: {affinity: hard}"));
    let homing = Homing::start(&entries, None, &["--secure-serving=true"]).await;
    let picker = homing.port("grpc").to_string();
    let diagnosis = files.doctor(&["--picker", &picker, "--config-file", &config]).await;
    assert_eq!(diagnosis.code, Some(0), "{diagnosis:#?}");
    assert_eq!(diagnosis.with("skipped"), [&CLUSTER_ONLY[..], &["shared-state", "certificate"]].concat());
    assert_eq!(diagnosis.of("ports"), ["ok: connections are accepted by 2 of 2 endpoints"]);
    assert_eq!(diagnosis.of("metrics"), ["ok: the pages of 2 of 2 endpoints are understood: 2 vllm"]);
    diagnosis.finding("tls", "for localhost");
    let serving = |name| format!("ok: {picker} says SERVING to {name}");
    assert_eq!(diagnosis.of("health"), ["readiness", "envoy.service.ext_proc.v3.ExternalProcessor"].map(serving));
    assert!(diagnosis.checks.iter().all(|check| check.as_object().is_some_and(|fields| fields.len() == 4)));
}

#[tokio::test]
async fn an_engine_that_refuses_and_one_without_metrics_are_told_apart() {
    let mut engines = [Engine::start("dead").await, Engine::start("mute").await, Engine::start("foreign").await];
    let entries: Vec<Entry> = engines.iter().map(Engine::entry).collect();
    engines[0].kill().await;
    engines[1].hang_metrics();
    engines[2].say_metrics("up 1\n");
    let diagnosis = Files::new(&entries).doctor(&["--timeout", "2s"]).await;
    assert_eq!((diagnosis.code, diagnosis.with("failure")), (Some(1), vec!["ports".to_owned()]), "{diagnosis:#?}");
    diagnosis.finding("ports", "1 endpoint refused the connection: dead");
    assert_eq!(diagnosis.finding("metrics", "no complete answer within 1s: mute").0, "warning");
    assert_eq!(diagnosis.finding("metrics", "none of the names that Homing knows: foreign").0, "warning");
}

#[tokio::test]
async fn bad_files_fail_and_each_problem_is_named() {
    let files = Files::new(&[]);
    files.write("endpoints.yaml", "endpoints: [{name: r1, adress: 127.0.0.1, port: 1}]");
    let config = files.write("picker.yaml", &config_document("sesions: {}"));
    let diagnosis = files.doctor(&["--config-file", &config]).await;
    assert_eq!(diagnosis.code, Some(1));
    assert_eq!(diagnosis.with("failure"), ["configuration", "endpoints"]);
    diagnosis.finding("endpoints", "`address`");
    diagnosis.finding("configuration", "did you mean `sessions`?");
    assert_eq!(Files::new(&[]).doctor(&[]).await.with("failure"), ["endpoints"], "nobody can serve");
}

#[tokio::test]
async fn a_picker_whose_tls_is_not_as_told_fails_and_so_does_one_that_is_down() {
    let engine = Engine::start("r1").await;
    let files = Files::new(&[engine.entry()]);
    for (runs, told, part) in [("true", "false", "speaks TLS, and"), ("false", "true", "does not speak TLS")] {
        let homing = Homing::start(&[engine.entry()], None, &[&format!("--secure-serving={runs}")]).await;
        let (picker, flag) = (homing.port("grpc").to_string(), format!("--secure-serving={told}"));
        let diagnosis = files.doctor(&["--picker", &picker, &flag]).await;
        assert_eq!((diagnosis.code, diagnosis.with("failure")), (Some(1), vec!["tls".to_owned()]), "{diagnosis:#?}");
        assert!(diagnosis.finding("tls", part).1.contains("--secure-serving=false"));
        let right = files.doctor(&["--picker", &picker, &format!("--secure-serving={runs}")]).await;
        assert_eq!(right.code, Some(0), "{right:#?}");
    }
    let diagnosis = files.doctor(&["--picker", "127.0.0.1:1"]).await;
    assert_eq!(diagnosis.with("failure"), ["tls"]);
    diagnosis.finding("tls", "127.0.0.1:1 cannot be connected to");
    let other = engine.address().to_string();
    let diagnosis = files.doctor(&["--picker", &other, "--secure-serving=false"]).await;
    assert_eq!(diagnosis.with("failure"), ["health"], "an engine is no picker: {diagnosis:#?}");
}

#[tokio::test]
async fn a_certificate_is_looked_at_in_its_folder_and_as_it_is_shown() {
    let engine = Engine::start("r1").await;
    let files = Files::new(&[engine.entry()]);
    let (expired, good) = (Pair::until(2_020), Pair::until(2_100));
    let mut secret = Secret::mount(&expired);
    let folder = secret.path().to_str().expect("a plain path").to_owned();
    let quiet = Some("engineMetrics: {enabled: false}");
    let homing = Homing::start(&[engine.entry()], quiet, &["--secure-serving=true", "--cert-path", &folder]).await;
    let picker = homing.port("grpc").to_string();
    let diagnosis = files.doctor(&["--cert-path", &folder, "--picker", &picker]).await;
    assert_eq!(diagnosis.with("failure"), ["certificate", "tls"], "{diagnosis:#?}");
    diagnosis.finding("certificate", "it has expired");
    diagnosis.finding("tls", "valid until 2020-01-01T00:00:00Z");
    secret.update(&good.certificate, &expired.key);
    let diagnosis = files.doctor(&["--cert-path", &folder]).await;
    diagnosis.finding("certificate", "tls.crt: cannot use the certificate");
}

#[tokio::test]
async fn the_table_is_for_people_and_a_wrong_command_line_is_a_code_of_its_own() {
    let engine = Engine::start("r1").await;
    let files = Files::new(&[engine.entry()]);
    let endpoints = files.path("endpoints.yaml");
    let endpoints = endpoints.to_str().expect("a plain path");
    let (code, table) = told(&["--endpoints-file", endpoints], &[]).await;
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains("\nok       ports          connections are accepted by 1 of 1 endpoint"), "{table}");
    assert!(table.ends_with("\n0 failures, 0 warnings, 4 ok, 10 skipped\n"), "{table}");

    for (flags, named) in [
        (&[][..], "--pool-name"),
        (&["--pool-name", "p", "--endpoints-file", "f"], "cannot be used with"),
        (&["--endpoints-file", "f", "--picker", "nowhere"], "HOST:PORT"),
        (&["--endpoints-file", "f", "--output", "xml"], "json"),
    ] {
        let (code, text) = told(flags, &[]).await;
        assert!(code == Some(2) && text.contains(named), "{flags:?}: {code:?} {text}");
    }
}

#[tokio::test]
async fn where_no_api_server_is_known_that_is_the_failure_and_the_rest_is_skipped() {
    let diagnosis = doctor(&["--pool-name", "p"], &[("KUBECONFIG", "/nowhere/at-all".as_ref())]).await;
    assert_eq!((diagnosis.code, diagnosis.with("failure")), (Some(1), vec!["api-server".to_owned()]));
    let (_, fix) = diagnosis.finding("api-server", "no API server is known");
    assert!(fix.contains("kubectl"), "{fix}");
    assert_eq!(diagnosis.of("endpoints"), ["skipped: no API server answers"]);
}

#[tokio::test]
async fn a_termination_message_has_the_table_with_failures_first_beside_what_is_printed() {
    let files = Files::new(&[]);
    let (endpoints, message) = (files.path("endpoints.yaml"), files.path("message"));
    let [endpoints, message] = [&endpoints, &message].map(|path| path.to_str().expect("a plain path"));
    let flags = ["--endpoints-file", endpoints, "--termination-message", message];
    let (code, printed) = told(&flags, &[]).await;
    assert_eq!(code, Some(1), "{printed}");
    let message = fs::read_to_string(message).expect("it was written");
    assert!(message.starts_with("failure  endpoints "), "{message}");
    assert!(!printed.starts_with("failure"), "{printed}");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&message), sorted(&printed));

    let (code, said) = told(&["--endpoints-file", endpoints, "--termination-message", "/no/such/folder"], &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("/no/such/folder cannot be written"), "{said}");
}
