//! `make demo-gateway`, on a short run.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

#[allow(dead_code, unused_imports, reason = "what other test binaries need of it")]
#[path = "support/mod.rs"]
mod support;

use support::eventually;
use support::wait::patiently;

/// Short, and little.
const LOAD: &str = "--warm-up 1s --measure 3s --rate 2";
/// What all of it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The last line before it stays up.
const UP: &str = "Still running; Ctrl-C ends it.";

/// A running demo; dropping it ends it.
struct Demo {
    child: Child,
    told: PathBuf,
}

#[tokio::test]
async fn the_demo_shows_both_policies_and_what_was_applied_and_curl_lines_that_work_and_leaves_nothing_behind() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let output = folder.path().join("demo");
    let mut demo = Demo::start(&output, folder.path().join("told"));
    let said = demo.until_up();
    let beyond = namespaces_of(demo.child.id());
    assert!(!beyond.is_empty(), "its parts run in a namespace of their own");

    for words in
        ["prefix-cache hit ratio", "by r6", "One pick explained", "kind: HTTPRoute", "kind: EnvoyExtensionPolicy"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    report(&output.join("report.json"));
    let route = fs::read_to_string(output.join("objects/route.yaml")).expect("the route was written");
    assert!(route.contains("kind: HTTPRoute"), "{route}");
    let class = fs::read_to_string(output.join("objects/gateway-class.yaml")).expect("the class was written");
    let (class, settings) = class.trim_start_matches("---\n").split_once("---\n").expect("two objects");
    for (text, kind) in [(class, "EnvoyProxy"), (settings, "GatewayClass")] {
        let object: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(object["kind"], kind);
    }
    let logs = fs::read_dir(output.join("logs")).expect("logs were written").count();
    assert!(logs >= 15, "twelve engines, Homing, Envoy Gateway and its Envoy: {logs}");

    // The demo itself has run them where there is a curl; here they do without.
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("  curl ")).collect();
    assert_eq!(lines.len(), 4, "{said}");
    let gateway = socket(lines[0]);
    let answer = ask(&gateway, "/v1/chat/completions", r#"{"messages": [{"role": "user", "content": "Why?"}]}"#);
    for promised in ["HTTP/1.1 200 OK\r\n", "\r\nx-session-id: ", "\r\nx-served-by: llama-", " picked llama-"] {
        assert!(answer.contains(promised), "{promised:?} in {answer}");
    }
    let homing = socket(lines[3]);
    assert_eq!(ask(&homing, "/endpoints", "").matches("\"ready\":true").count(), 6);

    demo.interrupt();
    let ended = async || demo.child.try_wait().expect("it can be waited for");
    let ended = patiently(PATIENCE, "it ends", ended).await;
    assert_eq!(ended.code(), Some(0), "who has seen all may go");
    eventually("nothing of it runs", async || all_namespaces().is_disjoint(&beyond).then_some(())).await;
    assert!(!gateway.exists() && !homing.exists(), "no socket is left");
}

#[test]
fn a_part_that_is_missing_is_told_in_one_line_with_what_to_do() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let mut command = command(folder.path());
    let told = command.env("HOMING_HELM", "/nowhere/helm").output().expect("it runs");
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(text.trim(), "demo-gateway: no Helm at /nowhere/helm: run scripts/parts/helm");
    assert_eq!(told.status.code(), Some(1));
}

#[test]
fn a_folder_of_somebody_else_s_files_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let theirs = folder.path().join("logs/theirs.log");
    fs::create_dir_all(folder.path().join("logs")).expect("the folder takes folders");
    fs::write(&theirs, "precious").expect("the folder takes files");
    let told = command(folder.path()).output().expect("it runs");
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(text.contains("has files that are not a demo's: give another --output-dir"), "{text}");
    assert_eq!(told.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&theirs).expect("it is there"), "precious");
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 1, "nothing was added");
}

impl Demo {
    /// Its progress goes to `told`.
    fn start(output: &Path, told: PathBuf) -> Self {
        let mut command = command(output);
        let progress = File::create(&told).expect("the folder takes files");
        command.arg("--keep").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(progress);
        Self { child: command.spawn().expect("it can be started"), told }
    }

    /// What it says until it stays up.
    fn until_up(&mut self) -> String {
        let printed = BufReader::new(self.child.stdout.take().expect("it is piped"));
        let (sends, lines) = mpsc::channel();
        // Read to the end, so that the demo is never without a reader.
        thread::spawn(move || {
            printed.lines().map_while(Result::ok).for_each(|line| {
                let _nobody_listens_any_more = sends.send(line);
            });
        });
        let (deadline, mut said) = (Instant::now() + PATIENCE, String::new());
        while !said.trim_end().ends_with(UP) {
            let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            said +=
                &line.unwrap_or_else(|error| panic!("it ended, or takes longer than {PATIENCE:?}: {error}: {said}"));
            said.push('\n');
        }
        said
    }

    /// Ctrl-C.
    fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process has an id");
        kill_process(pid, Signal::INT).expect("it runs");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.told).unwrap_or_default());
        }
    }
}

/// The demo, as it is now: Cargo builds examples beside tests only where it builds all of them.
fn command(output: &Path) -> Command {
    let target = env::current_exe().expect("a test is a file");
    let target = target.ancestors().nth(3).expect("it is in a profile's folder of the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--example", "demo-gateway", "--target-dir"]).arg(target);
    // What Cargo tells tests would make it build those dependencies anew that look at it.
    let told = ["OUT_DIR", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_EXE_"];
    for (name, _) in env::vars_os() {
        if told.iter().any(|told| name.to_string_lossy().starts_with(told)) {
            cargo.env_remove(name);
        }
    }
    let built = cargo.status().expect("Cargo runs");
    assert!(built.success(), "the demo can be built");
    let mut command = Command::new(target.join("debug/examples/demo-gateway"));
    command.args(LOAD.split(' ')).arg("--output-dir").arg(output).env("HOMING_BIN", support::homing::binary());
    command
}

/// The report has the shape of `make demo`'s.
fn report(path: &Path) {
    let text = fs::read_to_string(path).expect("a report was written");
    let report: Value = serde_json::from_str(&text).expect("the report is JSON");
    for (number, name) in ["round-robin", "homing"].into_iter().enumerate() {
        let policy = &report["policies"][number];
        assert_eq!((&policy["name"], &policy["failed"]), (&name.into(), &0.into()), "{report:#}");
        let requests = policy["requests"].as_u64().expect("a number");
        let by: Vec<(&str, u64)> = {
            let by = policy["requests_per_endpoint"].as_object().expect("an object").iter();
            by.map(|(name, count)| (name.as_str(), count.as_u64().expect("a number"))).collect()
        };
        assert!(by.iter().map(|(name, _)| *name).eq(["r1", "r2", "r3", "r4", "r5", "r6"]), "{by:?}");
        assert!(requests > 0 && by.iter().map(|(_, count)| count).sum::<u64>() == requests, "{by:?}");
        for number in ["hit_ratio", "moved_sessions"] {
            assert!(policy[number].is_number(), "{number} in {report:#}");
        }
        for number in ["mean", "p50", "p90", "p99"] {
            assert!(policy["ttft_ms"][number].as_f64() > Some(0.0), "{number} in {report:#}");
        }
    }
}

/// The socket that a curl line names.
fn socket(line: &str) -> PathBuf {
    let (_, named) = line.split_once("--unix-socket ").expect("a socket is named");
    named.split_once(' ').expect("and more").0.into()
}

/// A GET, or a POST where there is a body; the whole answer.
fn ask(socket: &Path, path: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.set_read_timeout(Some(ANSWER)).expect("a socket takes options");
    let method = if body.is_empty() { "GET" } else { "POST" };
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The process namespaces of what `root` has started, but our own.
fn namespaces_of(root: u32) -> BTreeSet<PathBuf> {
    let own = fs::read_link("/proc/self/ns/pid").expect("a process is in a namespace");
    let mut family = BTreeSet::from([root]);
    let mut before = 0;
    while family.len() > before {
        before = family.len();
        family.extend(
            processes().filter(|pid| parent(*pid).is_some_and(|parent| family.contains(&parent))).collect::<Vec<_>>(),
        );
    }
    family.into_iter().filter_map(namespace).filter(|found| *found != own).collect()
}

fn all_namespaces() -> BTreeSet<PathBuf> {
    processes().filter_map(namespace).collect()
}

fn namespace(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

fn processes() -> impl Iterator<Item = u32> {
    let folders = fs::read_dir("/proc").expect("this is Linux").flatten();
    folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}
