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

/// Flags that mean the same in the reference pickers, with a value that both take.
const SHARED: &[&str] = &[
    "--pool-name pool",
    "--pool-namespace llm",
    "--grpc-port 9002",
    "--grpc-health-port 9003",
    "--metrics-port 9090",
    "--secure-serving",
    "--secure-serving=false",
    "--secure-serving=0",
    "--cert-path /certs",
    "--config-file /config/plugins.yaml",
    "--config-text {}",
    "--drain-timeout 30s",
    "--drain-timeout 1m30s",
];

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
    for flag in SHARED {
        let (kept, taken) = split_line(flag);
        assert_eq!((kept.clone(), taken), (words(flag), Vec::new()));
        let source = if flag.starts_with("--pool-name ") { "" } else { "--pool-name p" };
        let line = words(&format!("homing serve {flag} {source}"));
        assert!(Cli::try_parse_from(&line).is_ok(), "{flag}: {:?}", Cli::try_parse_from(&line).err());
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
