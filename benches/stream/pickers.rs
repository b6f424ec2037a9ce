//! The pickers as child processes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::{machine, page, process};

/// Which picker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers a fixed endpoint and sends the body back.
    Echo,
    /// The product.
    Homing,
}

/// What a picker is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The echo picker answers the first.
    pub endpoints: Vec<SocketAddr>,
    /// Further fields of the configuration.
    pub config: &'static str,
    /// Where Homing shares its state with others, if it does.
    pub shared_state: Option<String>,
}

/// A running picker; killed when dropped.
#[derive(Debug)]
pub struct Picker {
    child: Child,
    /// By the names that the log gives them.
    ports: HashMap<String, SocketAddr>,
    files: TempDir,
}

// === impl Kind ===

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Homing => "homing",
        }
    }
}

// === impl Setup ===

impl Setup {
    /// Metrics are not scraped: that costs by the second and not by the pick.
    pub fn with_endpoints(endpoints: impl Iterator<Item = SocketAddr>) -> Self {
        Self { endpoints: endpoints.collect(), config: "engineMetrics: {enabled: false}\n", shared_state: None }
    }
}

// === impl Picker ===

impl Picker {
    /// Starts it and waits until it is ready.
    pub fn start(kind: Kind, setup: &Setup) -> anyhow::Result<Self> {
        let files = tempfile::tempdir()?;
        let mut child = match kind {
            Kind::Echo => echo(setup)?.spawn()?,
            Kind::Homing => homing(setup, &files)?.spawn()?,
        };
        let output: Box<dyn Read + Send> = match kind {
            Kind::Echo => Box::new(child.stdout.take().context("its output is not a pipe")?),
            Kind::Homing => Box::new(child.stderr.take().context("its log is not a pipe")?),
        };
        let mut picker = Self { child, ports: HashMap::new(), files };
        let mut lines = BufReader::new(output).lines();
        picker.ports = ports(&mut lines)?;
        // Whatever else it says must be read, or it would block on a full pipe.
        thread::spawn(move || lines.for_each(drop));
        Ok(picker)
    }

    /// Where it takes streams.
    pub fn address(&self) -> SocketAddr {
        self.ports["grpc"]
    }

    /// CPU time that it has spent.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        process::cpu_time(self.child.id())
    }

    /// Bytes that it holds in memory, and the most that it ever held.
    pub fn resident(&self) -> anyhow::Result<(u64, u64)> {
        process::resident(self.child.id())
    }

    /// The sum of all of Homing's series whose name begins so. Blocks, and not for long.
    pub fn count(&self, name: &str) -> anyhow::Result<f64> {
        let page = self.metrics()?;
        let series = page.lines().filter(|line| line.starts_with(name));
        let values = series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).collect::<Vec<_>>();
        anyhow::ensure!(!values.is_empty(), "no series {name}");
        Ok(values.into_iter().sum())
    }

    /// Homing's page of metrics. Blocks, and not for long.
    pub fn metrics(&self) -> std::io::Result<String> {
        page::get(self.ports["metrics"], "/metrics")
    }

    /// Gives Homing other endpoints, which it follows.
    pub fn replace(&self, endpoints: &[SocketAddr]) -> anyhow::Result<()> {
        write_endpoints(&self.files, endpoints)
    }
}

impl Drop for Picker {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn echo(setup: &Setup) -> anyhow::Result<Command> {
    let program = env::current_exe()?;
    let mut command = machine::pinned(program.to_str().context("this program's path is not UTF-8")?);
    let endpoint = setup.endpoints.first().context("no endpoint")?;
    command.arg(format!("--echo={endpoint}")).stdout(Stdio::piped());
    Ok(command)
}

fn homing(setup: &Setup, files: &TempDir) -> anyhow::Result<Command> {
    write_endpoints(files, &setup.endpoints)?;
    let config = format!("apiVersion: homing.dev/v1alpha1\nkind: PickerConfig\n{}", setup.config);
    fs::write(files.path().join("config.yaml"), config)?;
    let program = env::var("HOMING_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_homing").to_owned());
    let mut command = machine::pinned(&program);
    command.arg("serve");
    command.arg("--endpoints-file").arg(files.path().join("endpoints.yaml"));
    command.arg("--config-file").arg(files.path().join("config.yaml"));
    command.args(["--bind=127.0.0.1", "--secure-serving=false", "--log-format=json", "--threads=1"]);
    command.args(["--grpc-port=0", "--grpc-health-port=0", "--metrics-port=0", "--admin-port=0"]);
    if let Some(url) = &setup.shared_state {
        command.args([format!("--shared-state={url}"), format!("--state-group={}", crate::sharing::GROUP)]);
    }
    command.stderr(Stdio::piped()).stdin(Stdio::null());
    Ok(command)
}

/// What an endpoint is called.
pub fn name(endpoint: &SocketAddr) -> String {
    format!("r-{}-{}", endpoint.ip(), endpoint.port())
}

/// In one step, so that nobody reads half a file.
fn write_endpoints(files: &TempDir, endpoints: &[SocketAddr]) -> anyhow::Result<()> {
    let line = |endpoint: &SocketAddr| {
        format!("  - {{name: {}, address: {}, port: {}}}\n", name(endpoint), endpoint.ip(), endpoint.port())
    };
    let document = format!("endpoints:\n{}", endpoints.iter().map(line).collect::<String>());
    let [new, file] = ["endpoints.new", "endpoints.yaml"].map(|name| files.path().join(name));
    fs::write(&new, document)?;
    Ok(fs::rename(new, file)?)
}

/// Where it listens, once it says that it is ready.
fn ports(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> anyhow::Result<HashMap<String, SocketAddr>> {
    let mut ports = HashMap::new();
    for line in lines {
        let line = line?;
        let Ok(said) = serde_json::from_str::<Value>(&line) else { bail!("it says: {line}") };
        match (said["message"].as_str(), said["port_name"].as_str()) {
            (Some("listening"), Some(name)) => {
                let address = said["address"].as_str().context("an address that is no string")?;
                ports.insert(name.to_owned(), address.parse()?);
            }
            (Some("ready"), _) if ports.contains_key("grpc") => return Ok(ports),
            _ => {}
        }
    }
    bail!("it ended before it was ready")
}
