use clap::{CommandFactory, Parser};
use proptest::prelude::*;

use super::*;
use crate::cli::Cli;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

/// What is left of a line of `serve`, and the names of what was taken.
fn split_line(line: &str) -> (Vec<OsString>, Vec<&'static str>) {
    let (kept, taken) = split(words(&format!("homing serve {line}")));
    (kept[2..].to_vec(), taken.iter().map(|foreign| foreign.name).collect())
}

/// Flags that mean the same in the reference pickers: a line that both take, and what is read of it.
const SHARED: &[(&str, &str)] = &[
    ("--pool-name pool", r#"pool_name: Some("pool")"#),
    ("--pool-namespace llm", r#"pool_namespace: Some("llm")"#),
    ("--endpoint-selector app=llama --endpoint-target-ports 80", r#"endpoint_selector: Some({"app": "llama"})"#),
    ("--endpoint-selector app=llama --endpoint-target-ports 80,81", "endpoint_target_ports: Some(Ports([80, 81]))"),
    ("--grpc-port 7", "grpc_port: 7"),
    ("--grpc-health-port 7", "grpc_health_port: 7"),
    ("--metrics-port 7", "metrics_port: 7"),
    ("--secure-serving", "secure_serving: true"),
    ("--secure-serving=true", "secure_serving: true"),
    ("--secure-serving=false", "secure_serving: false"),
    ("--secure-serving=0", "secure_serving: false"),
    ("--cert-path /certs", r#"cert_path: Some("/certs")"#),
    ("--config-file /config/plugins.yaml", r#"config_file: Some("/config/plugins.yaml")"#),
    ("--config-text {}", r#"config_text: Some("{}")"#),
];

fn owned(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// What is left of these words of `serve`.
fn split_words(words: &[&str]) -> Vec<OsString> {
    let (kept, _taken) = split([owned(&["homing", "serve"]), owned(words)].concat());
    kept[2..].to_vec()
}

/// The arguments of `serve` as they are read.
fn serve(words: &[OsString]) -> Result<serve::Args, clap::Error> {
    let line = [owned(&["homing", "serve"]), words.to_vec()].concat();
    Cli::try_parse_from(line).map(|cli| match cli.command {
        crate::cli::Command::Serve(args) => args,
        other => panic!("{other:?}"),
    })
}

/// The arguments of the suite's Deployments: as they are since 1.6, and as they were up to 1.5.
const SUITE: [&str; 2] = [
    "--pool-name primary-inference-pool --pool-namespace inference-conformance-app-backend --zap-encoder json \
     --grpc-port 9002 --grpc-health-port 9003",
    "--pool-name primary-inference-pool --pool-namespace inference-conformance-app-backend --v 4 --zap-encoder json \
     --grpc-port 9002 --grpc-health-port 9003 --config-file /config/conformance-plugins.yaml",
];

#[test]
fn foreign_flags_go_with_their_values_and_all_others_stay() {
    for (line, kept, taken) in [
        ("--zap-encoder json --bind ::1", "--bind ::1", &["--zap-encoder"][..]),
        ("--zap-encoder=json --bind ::1", "--bind ::1", &["--zap-encoder"]),
        ("-v 4 --bind ::1", "--bind ::1", &["--v"]),
        ("-v=4 --v=4 --v 4 -v4 --bind ::1", "--bind ::1", &["--v", "--v", "--v", "--v"]),
        ("--v -2 --bind ::1", "--bind ::1", &["--v"]),
        ("--v --bind ::1", "--bind ::1", &["--v"]),
        ("--tracing --bind ::1", "--bind ::1", &["--tracing"]),
        ("--tracing=false --bind ::1", "--bind ::1", &["--tracing"]),
        ("--tracing false --enable-pprof=true", "", &["--tracing", "--enable-pprof"]),
        ("--tracing 0 --zap-devel T --enable-pprof FALSE", "", &["--tracing", "--zap-devel", "--enable-pprof"]),
        ("--tracing no", "no", &["--tracing"]),
        ("--ha-enable-leader-election --grpc-port 9002", "--grpc-port 9002", &["--ha-enable-leader-election"]),
        ("--lora-info-metric= --pool-name p", "--pool-name p", &["--lora-info-metric"]),
    ] {
        assert_eq!(split_line(line), (words(kept), taken.to_vec()), "{line}");
    }
    let check = words("homing check -v file");
    assert_eq!(split(check.clone()), (check, Vec::new()));
}

#[test]
fn names_are_read_as_older_versions_wrote_them() {
    for (line, kept, taken) in [
        ("-pool-name p -grpc-port=9002", "--pool-name p --grpc-port=9002", &[][..]),
        ("-poolName p -poolNamespace n -v 4", "--pool-name p --pool-namespace n", &["--v"]),
        ("-grpcHealthPort 9003 --metricsPort=9090", "--grpc-health-port 9003 --metrics-port=9090", &[]),
        ("--refreshMetricsInterval 50ms", "", &["--refresh-metrics-interval"]),
        ("-h", "-h", &[]),
        ("--help", "--help", &[]),
        ("-", "-", &[]),
        ("-- -5", "-- -5", &[]),
    ] {
        assert_eq!(split_line(line), (words(kept), taken.to_vec()), "{line}");
    }
}

#[test]
fn what_both_have_is_not_taken_and_means_the_same() {
    for (line, expected) in SHARED {
        let (mut kept, taken) = split_line(line);
        assert_eq!((kept.clone(), taken), (words(line), Vec::new()));
        if !["--pool-name ", "--endpoint-selector "].iter().any(|source| line.starts_with(source)) {
            kept.extend(words("--pool-name p"));
        }
        let args = serve(&kept).unwrap_or_else(|error| panic!("{line}: {error}"));
        let read = format!("{args:?}");
        assert!(read.contains(expected), "{line}: {read}");
    }
}

#[test]
fn the_value_of_a_flag_of_ours_is_no_flag() {
    for (line, kept) in [
        (&["--config-text", "-x: 1"][..], &["--config-text", "-x: 1"][..]),
        (&["--config-text", "--v", "--v", "4"], &["--config-text", "--v"]),
        (&["--cert-path", "-certs"], &["--cert-path", "-certs"]),
        (&["-poolName", "aB", "-v", "4"], &["--pool-name", "aB"]),
        (&["--secure-serving", "-poolName", "p"], &["--secure-serving", "--pool-name", "p"]),
        (&["--explain-header", "-v", "4"], &["--explain-header"]),
        (&["--grpc-port=1", "-v", "4"], &["--grpc-port=1"]),
        (&["--config-file"], &["--config-file"]),
        (&["--", "-v", "--poolName"], &["--", "-v", "--poolName"]),
    ] {
        assert_eq!(split_words(line), owned(kept), "{line:?}");
    }
}

#[test]
fn an_empty_text_is_none_and_only_two_that_say_something_exclude_each_other() {
    for (line, kept) in [
        (&["--config-text", "", "--config-file", "f"][..], &["--config-file", "f"][..]),
        (&["--config-text=", "--config-file=f"], &["--config-file=f"]),
        (&["--config-file", "", "--config-text", "{}"], &["--config-text", "{}"]),
        (&["--pool-namespace", ""], &[]),
        (&["--bind", ""], &["--bind", ""]),
        (&["--config-text", "{}", "--config-file", "f"], &["--config-text", "{}", "--config-file", "f"]),
    ] {
        let mut words = split_words(line);
        assert_eq!(words, owned(kept), "{line:?}");
        words.extend(owned(&["--pool-name", "p"]));
        assert_eq!(serve(&words).is_ok(), !line.contains(&"--bind") && kept.len() < 4, "{line:?}");
    }
}

#[test]
fn a_flag_is_either_ours_or_foreign_and_in_the_table_once() {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").expect("a command");
    for (index, Foreign { name, .. }) in FOREIGN.iter().enumerate() {
        let ours = serve.get_arguments().filter_map(clap::Arg::get_long).any(|long| name[2..] == *long);
        assert!(!ours, "{name} is a flag of ours");
        assert!(FOREIGN[..index].iter().all(|other| other.name != *name), "{name} is there twice");
        assert_eq!(spelt(name), None, "{name} is spelt as flags are");
    }
}

#[test]
fn every_foreign_flag_is_in_the_documentation() {
    let page = include_str!("../../../docs/configuration.md");
    for Foreign { name, .. } in FOREIGN {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_suites_deployments_start() {
    for line in SUITE {
        let (kept, taken) = split(words(&format!("homing serve {line} --conformance-test-headers")));
        assert!(Cli::try_parse_from(&kept).is_ok(), "{kept:?}");
        assert!(taken.iter().all(|foreign| ["--v", "--zap-encoder"].contains(&foreign.name)), "{taken:?}");
    }
}

#[test]
fn an_unknown_flag_stays_an_error_with_the_nearest_name() {
    for line in ["--pool-nam p", "--poolNam p", "-pool-nam=p"] {
        let (kept, _) = split(words(&format!("homing serve {line}")));
        let error = Cli::try_parse_from(&kept).expect_err("unknown").to_string();
        assert!(error.contains("--pool-name"), "{line}: {error}");
    }
}

proptest! {
    #[test]
    fn no_line_makes_it_panic_or_grow(line in proptest::collection::vec("-{0,2}[a-zA-Zäv=.0-9-]{0,12}", 0..8)) {
        let arguments: Vec<OsString> = ["homing", "serve"].into_iter().map(OsString::from)
            .chain(line.iter().map(OsString::from)).collect();
        let count = arguments.len();
        let (kept, taken) = split(arguments);
        prop_assert!(kept.len() + taken.len() <= count);
        prop_assert!(kept.len() + 2 * taken.len() >= count);
    }
}
