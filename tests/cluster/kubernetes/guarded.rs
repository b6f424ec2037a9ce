//! A child process that cannot outlive the test binary, however that ends.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

/// Lines of output that a failed test shows.
const SHOWN: usize = 40;

/// Runs a program until it ends, or until the pipe at the shell's own input does, which the system sees to when we
/// are gone.
const SHELL: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & child=$!
# Who reads what a shell says of its jobs may be gone by then.
exec >/dev/null 2>&1
{ cat <&3; kill -KILL $child; } & guard=$!
wait $child
kill $guard
[ -z "$FOLDER" ] || rm -rf "$FOLDER"
"#;

/// A running child; dropping it kills it.
pub struct Guarded {
    name: String,
    shell: Child,
    pipe: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Guarded {
    /// Starts `program`; `folder` is removed when it has ended.
    pub fn spawn(program: &Path, arguments: &[String], folder: Option<&Path>) -> Self {
        let mut command = Command::new("sh");
        command.env("FOLDER", folder.unwrap_or(Path::new("")));
        command.args(["-c", SHELL, "sh"]).arg(program).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let pipe = shell.stdin.take();
        let lines = Arc::new(Mutex::new(Vec::new()));
        keep(shell.stdout.take().expect("stdout is piped"), Arc::clone(&lines));
        keep(shell.stderr.take().expect("stderr is piped"), Arc::clone(&lines));
        Self { name: program.display().to_string(), shell, pipe, lines }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.shell.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SIGKILL, by the shell that waits for the end of this pipe.
        drop(self.pipe.take());
        let _status = self.shell.wait();
        if thread::panicking() {
            let lines = self.lines.lock();
            eprintln!("--- the last lines of {} ---", self.name);
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}

fn keep(output: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lines.lock().push(line);
        }
    });
}
