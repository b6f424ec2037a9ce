//! `homing explain`: decisions for people and for scripts, and what it says where there are none.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bookings::unreachable_engines;
use crate::support::homing::binary;
use crate::support::picker::Picker;
use crate::support::process::{Process, run};
use crate::support::{Homing, World, eventually, prompt};

#[tokio::test]
async fn explain_follows_each_decision_as_it_is_made() {
    let homing = Homing::start(&unreachable_engines(2), None, &[]).await;
    let picker = Picker::connect(homing.port("grpc")).await;
    picker.place("first").await;
    let mut explain = explain(&homing, &["--follow", "--output", "json", "-n", "1"]);
    for n in 0..3 {
        let decision = explain.log_line("the next decision", n, |line| line["reason"].is_string()).await;
        assert_eq!(decision, homing.decision().await.document, "one object a line, with the fields of the page");
        assert_eq!(explain.mark(), n + 1, "each is told once");
        picker.place("another").await;
    }
    let mut table = self::explain(&homing, &["-f", "-n", "0"]);
    eventually("a table of a later decision", async || {
        picker.place("later").await;
        table.output().contains("because of").then_some(())
    })
    .await;
    assert!(table.is_running());
}

#[tokio::test]
async fn explain_filters_by_endpoint_reason_and_request() {
    let world = World::of(2).await;
    for n in 0..6 {
        world.chat(None, &prompt(&n.to_string(), 4_000), "hello").await.ok();
        world.chat(Some("somebody"), &prompt("story", 8_000), &n.to_string()).await.ok();
    }
    let all = world.homing.decisions(100).await;
    let id = all[3].document["requestId"].as_str().expect("an id");
    let cases: [(&[&str], &str, &str); 4] = [
        (&["--endpoint", "r1"], "endpoint", "r1"),
        (&["--endpoint", "nobody"], "endpoint", "nobody"),
        (&["--reason", "session"], "reason", "session"),
        (&["--request-id", id], "requestId", id),
    ];
    for (flags, field, value) in cases {
        let mut expected: Vec<Value> = all.iter().map(|decision| decision.document.clone()).collect();
        expected.retain(|decision| decision[field] == *value);
        expected.truncate(4);
        expected.reverse();
        assert_eq!(explained(&world.homing, &[flags, &["-n", "4"]].concat()), expected, "{flags:?}");
    }
    let (status, text) = run(&binary(), &["explain", "--reason", "sesion"]);
    assert!(!status.success() && text.contains("session") && text.contains("fallback"), "{text}");
}

#[tokio::test]
async fn explain_says_what_is_wrong_where_no_picker_answers() {
    let mut homing = Homing::start(&unreachable_engines(1), None, &[]).await;
    for port in ["metrics", "grpc", "health"] {
        let admin = homing.port(port).to_string();
        let (status, text) = run(&binary(), &["explain", "--admin", &admin]);
        let expected = format!("homing: what listens at {admin} is not the admin port");
        assert!(!status.success() && text.starts_with(&expected), "the {port} port: {text}");
    }
    let (status, text) = run(&binary(), &["explain", "--admin", "no port"]);
    assert!(!status.success() && text.contains("--admin no port is no HOST:PORT"), "{text}");

    let admin = homing.port("admin").to_string();
    let (status, text) = run(&binary(), &["explain", "--admin", &admin, "-n", "0"]);
    assert!(!status.success() && text.starts_with("homing: no decision asked for"), "{text}");
    homing.terminate();
    homing.ended().await;
    let (status, text) = run(&binary(), &["explain", "--admin", &admin]);
    assert!(!status.success() && text.starts_with(&format!("homing: nobody listens at {admin}")), "{text}");
}

#[tokio::test]
async fn explain_ends_quietly_when_its_reader_has_enough() {
    let homing = Homing::start(&unreachable_engines(1), None, &[]).await;
    let picker = Picker::connect(homing.port("grpc")).await;
    for _ in 0..3 {
        picker.place("somebody").await;
    }
    let mut command = Command::new(binary());
    command.args(["explain", "--follow", "-n", "1", "--admin", &homing.port("admin").to_string()]);
    let mut explain = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
    let mut line = String::new();
    let mut reader = BufReader::new(explain.stdout.take().expect("stdout is piped"));
    reader.read_line(&mut line).expect("a first line");
    drop(reader);
    let status = eventually("it ends with the next decision", async || {
        picker.place("somebody").await;
        explain.try_wait().expect("it can be waited for")
    })
    .await;
    let mut complaint = String::new();
    explain.stderr.take().expect("stderr is piped").read_to_string(&mut complaint).expect("text");
    assert_eq!((status.code(), complaint.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn explain_that_follows_says_when_the_picker_has_gone() {
    let mut homing = Homing::start(&unreachable_engines(1), None, &["--drain-window", "0s"]).await;
    let mut explain = explain(&homing, &["--follow"]);
    Picker::connect(homing.port("grpc")).await.place("somebody").await;
    eventually("explain follows", async || explain.output().contains("because of").then_some(())).await;
    let gone = format!("homing: the picker at {} has gone", homing.port("admin"));
    homing.terminate();
    assert_eq!(homing.ended().await.code(), Some(0));
    assert_eq!(explain.ended().await.code(), Some(1));
    assert!(explain.output().contains(&gone), "{}", explain.output());
}

/// A running `homing explain` with these flags.
fn explain(homing: &Homing, flags: &[&str]) -> Process {
    let mut command = Command::new(binary());
    command.args(["explain", "--admin", &homing.port("admin").to_string()]).args(flags);
    Process::spawn("explain", command)
}

/// What `homing explain --output json` prints with these flags.
fn explained(homing: &Homing, flags: &[&str]) -> Vec<Value> {
    let admin = homing.port("admin").to_string();
    let (status, text) = run(&binary(), &[&["explain", "--output", "json", "--admin", &admin], flags].concat());
    assert!(status.success(), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
