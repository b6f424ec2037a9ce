//! A child process whose output is kept, and shown only when its test fails.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use serde_json::Value;

use super::wait::eventually;

/// Lines of output that a failed test shows.
const SHOWN: usize = 120;

/// A running child; dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts `command`; it belongs to the thread that calls this.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take().expect("stdout is piped"), Arc::clone(&lines));
        keep(child.stderr.take().expect("stderr is piped"), Arc::clone(&lines));
        Self { name: name.to_owned(), child, lines }
    }

    /// Everything it has written so far.
    pub fn output(&self) -> String {
        self.lines.lock().join("\n")
    }

    /// The log line, an object of JSON, that `wanted` accepts; lines before `from` are skipped.
    pub async fn log_line(&mut self, what: &str, from: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{}: {what}", self.name), async || {
            let found = self.lines.lock().iter().skip(from).find_map(|line| {
                let value: Value = serde_json::from_str(line).ok()?;
                wanted(&value).then_some(value)
            });
            if found.is_none()
                && let Some(status) = self.child.try_wait().expect("the child can be waited for")
            {
                panic!("{}: {what}: it ended with {status}\n{}", self.name, self.output());
            }
            found
        })
        .await
    }

    /// How many lines it has written; a place to wait from.
    pub fn mark(&self) -> usize {
        self.lines.lock().len()
    }

    /// Asks it to end, as an orchestrator would.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal("KILL");
        let _status = self.child.wait();
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "{}: cannot be signalled", self.name);
    }

    /// Memory that it holds at this moment, in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs, on Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
        kib / 1024.0
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child can be waited for").is_none()
    }

    /// Its exit status, once it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually(&format!("{} ends", self.name), async || self.child.try_wait().expect("it can be waited for")).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
        if thread::panicking() {
            let lines = self.lines.lock();
            eprintln!("--- the last lines of {} ---", self.name);
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Runs `program` to its end: its status, and both its outputs as one text.
pub fn run(program: &Path, arguments: &[&str]) -> (ExitStatus, String) {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&text).into_owned())
}

fn keep(output: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lines.lock().push(line);
        }
    });
}
