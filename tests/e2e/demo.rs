//! `homing demo` with several pickers, on a short run.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::eventually;
use crate::support::homing::binary;
use crate::support::parts;
use crate::support::process::{Process, run};
use crate::support::wait::patiently;

/// Short, and little.
const LOAD: &str = "--pickers 2 --warm-up 0s --measure 2s --rate 2";
/// What four starts of everything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test]
async fn several_pickers_are_measured_beside_one_without_a_failed_request_and_ctrl_c_leaves_nothing() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let mut command = Command::new(binary());
    command.arg("demo").args(LOAD.split(' ')).arg("--keep").arg("--output-dir").arg(folder.path());
    command.env("HOMING_VALKEY", parts::valkey());
    let mut demo = Process::spawn("demo", command);
    let up = async || {
        let said = demo.output();
        assert!(demo.is_running(), "{said}");
        said.contains("Still running; Ctrl-C ends it.").then_some(said)
    };
    let said = patiently(PATIENCE, "all sides are measured", up).await;

    let names = ["round-robin", "1-picker", "2-alone", "2-sharing"];
    let header = said.lines().find(|line| line.contains("round-robin  ")).expect("a table");
    assert!(header.split_whitespace().eq(names), "{header}");
    let report = fs::read_to_string(folder.path().join("report.json")).expect("a report was written");
    let report: Value = serde_json::from_str(&report).expect("the report is JSON");
    let policies = report["policies"].as_array().expect("a list");
    assert_eq!(policies.len(), names.len(), "{report:#}");
    for (policy, name) in policies.iter().zip(names) {
        assert_eq!((&policy["name"], &policy["failed"]), (&name.into(), &0.into()), "{report:#}");
        assert!(policy["requests"].as_u64() > Some(0), "{report:#}");
    }
    let logs = folder.path().join("logs");
    for (side, pickers, valkeys) in [("1-picker", 0, 0), ("2-alone", 2, 0), ("2-sharing", 2, 1)] {
        let count = |prefix: &str| {
            let files = fs::read_dir(logs.join(side)).expect("logs were written").flatten();
            files.filter(|file| file.file_name().to_string_lossy().starts_with(prefix)).count()
        };
        assert_eq!((count("homing-"), count("valkey")), (pickers, valkeys), "{side}");
    }

    let listening = ports(&logs.join("2-sharing"));
    assert!(listening.iter().any(|address| address.ip() != Ipv4Addr::LOCALHOST), "Valkey's address: {listening:?}");
    assert!(listening.len() > 9, "six engines, two Homings, Envoy, Valkey: {listening:?}");
    for address in &listening {
        TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}, which is kept: {error}"));
    }
    demo.signal("INT");
    assert_eq!(demo.ended().await.code(), Some(130));
    for address in listening {
        eventually("nobody listens", async || TcpStream::connect(address).await.err()).await;
    }
}

#[test]
fn a_missing_valkey_is_told_before_anything_is_started() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let output = folder.path().join("demo");
    // Any file will do for Envoy, which is not started.
    let (homing, output_dir) = (binary(), output.to_string_lossy());
    let arguments = ["demo", "--pickers", "2", "--valkey", "/nowhere/valkey", "--output-dir", &output_dir];
    let (status, text) = run(&homing, &[&arguments[..], &["--envoy", &homing.to_string_lossy()]].concat());
    assert_eq!(status.code(), Some(1));
    assert!(text.contains("no Valkey at /nowhere/valkey: run `make parts`"), "{text}");
    assert!(!output.exists(), "nothing was written");
}

/// Where the parts of a side listen, by their own word.
fn ports(logs: &Path) -> Vec<SocketAddr> {
    let files = fs::read_dir(logs).expect("logs were written").flatten();
    let texts = files.map(|file| fs::read_to_string(file.path()).unwrap_or_default());
    let listening = |text: String| {
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // A Homing says where it has found Valkey.
        let address =
            |line: Value| line[if line["port_name"].is_string() { "address" } else { "server" }].as_str()?.parse().ok();
        lines.filter_map(address).collect::<Vec<SocketAddr>>()
    };
    let mut found: Vec<_> = texts.flat_map(listening).collect();
    let envoy = fs::read_to_string(logs.join("envoy-admin-address")).expect("Envoy has told its port");
    found.push(envoy.trim().parse().expect("an address"));
    found
}
