//! Child processes: started with their logs in files, killed when dropped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long a part may take to start; a machine that compiles beside it is slow.
const START: Duration = Duration::from_secs(20);

/// How often a starting part is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A running child process; dropping it kills it.
pub struct Part {
    name: String,
    log: PathBuf,
    child: Child,
}

/// The line that our commands log for every port, and what else a log line may be.
#[derive(Deserialize)]
struct LogLine {
    message: Option<String>,
    port_name: Option<String>,
    address: Option<SocketAddr>,
}

// === impl Part ===

impl Part {
    /// Starts a command with everything it prints in `logs/NAME.log`.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        // Ctrl-C in a terminal reaches the whole group; the demo alone decides when its parts end.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), log, child })
    }

    /// One of our own commands; it logs JSON.
    pub fn homing(name: &str, arguments: &[&str], logs: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("cannot find the homing binary")?);
        command.args(arguments).args(["--log-format", "json"]).env("HOMING_LOG", "info");
        Self::start(name, command, logs)
    }

    /// Waits until one of our commands has said where it listens.
    pub async fn port(&mut self, port_name: &str) -> anyhow::Result<SocketAddr> {
        self.logged(|line| (line.port_name.as_deref() == Some(port_name)).then_some(line.address).flatten()).await
    }

    /// Waits until one of our commands has logged a message.
    pub async fn message(&mut self, message: &str) -> anyhow::Result<()> {
        self.logged(|line| (line.message.as_deref() == Some(message)).then_some(())).await
    }

    /// Waits until `look` finds something, and fails when the process ends before or takes too long.
    pub async fn until<T>(&mut self, mut look: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(found) = look().await {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.ended(status));
            }
            let Self { name, log, .. } = self;
            anyhow::ensure!(Instant::now() < deadline, "{name} did not start within {START:?}; see {}", log.display());
            sleep(LOOK).await;
        }
    }

    /// Waits for the process to end, which it should not; the error tells its last words.
    pub async fn death(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => self.ended(status),
            Err(error) => error.into(),
        }
    }

    /// Kills the process and waits until it is gone.
    pub async fn stop(mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill().await;
    }

    async fn logged<T>(&mut self, find: impl Fn(LogLine) -> Option<T>) -> anyhow::Result<T> {
        let log = self.log.clone();
        self.until(async || {
            let text = tokio::fs::read_to_string(&log).await.ok()?;
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(&find)
        })
        .await
    }

    fn ended(&self, status: ExitStatus) -> anyhow::Error {
        let Self { name, log, .. } = self;
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        anyhow::anyhow!("{name} ended with {status}: {last} (see {})", log.display())
    }
}
