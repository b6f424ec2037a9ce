//! The two pickers as child processes, and the CPU time they have spent.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::machine;

/// Endpoints that Homing scores in each pick. Nothing listens there: they are only ever picked.
const ENDPOINTS: u16 = 16;

/// Metrics are not scraped: that costs by the second and not by the pick.
const CONFIG: &str = "
apiVersion: homing.dev/v1alpha1
kind: PickerConfig
engineMetrics: {enabled: false}
";

/// Clock ticks a second in `/proc/<pid>/stat`; the same on every Linux that Rust supports.
const TICKS: u64 = 100;

/// Which picker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers a fixed endpoint and sends the body back.
    Echo,
    /// The product.
    Homing,
}

/// A running picker; killed when dropped.
#[derive(Debug)]
pub struct Picker {
    child: Child,
    address: SocketAddr,
    _files: TempDir,
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

// === impl Picker ===

impl Picker {
    /// Starts it and waits until it listens.
    pub fn start(kind: Kind) -> anyhow::Result<Self> {
        let files = tempfile::tempdir()?;
        let mut child = match kind {
            Kind::Echo => echo()?.spawn()?,
            Kind::Homing => homing(&files)?.spawn()?,
        };
        let output: Box<dyn Read + Send> = match kind {
            Kind::Echo => Box::new(child.stdout.take().context("its output is not a pipe")?),
            Kind::Homing => Box::new(child.stderr.take().context("its log is not a pipe")?),
        };
        let mut lines = BufReader::new(output).lines();
        let address = address(&mut lines);
        // Whatever else it says must be read, or it would block on a full pipe.
        thread::spawn(move || lines.for_each(drop));
        let mut picker = Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), _files: files };
        picker.address = address?;
        Ok(picker)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time of all its threads, user and system: by the scheduler's nanoseconds, else by ticks of 10 ms.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        let process = format!("/proc/{}", self.child.id());
        let mut nanos = 0;
        for task in fs::read_dir(format!("{process}/task")).context("the picker has ended")? {
            let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else { return ticks(&process) };
            nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        if nanos == 0 { ticks(&process) } else { Ok(Duration::from_nanos(nanos)) }
    }
}

impl Drop for Picker {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn echo() -> anyhow::Result<Command> {
    let program = env::current_exe()?;
    let mut command = machine::pinned(program.to_str().context("this program's path is not UTF-8")?);
    command.arg("--echo").stdout(Stdio::piped());
    Ok(command)
}

fn homing(files: &TempDir) -> anyhow::Result<Command> {
    let endpoints = (1..=ENDPOINTS).map(|n| format!("  - {{name: r{n}, address: 127.0.0.1, port: {}}}\n", 20_000 + n));
    let endpoints = format!("endpoints:\n{}", endpoints.collect::<String>());
    fs::write(files.path().join("endpoints.yaml"), endpoints)?;
    fs::write(files.path().join("config.yaml"), CONFIG)?;
    let mut command = machine::pinned(env!("CARGO_BIN_EXE_homing"));
    command.arg("serve");
    command.arg("--endpoints-file").arg(files.path().join("endpoints.yaml"));
    command.arg("--config-file").arg(files.path().join("config.yaml"));
    command.args(["--bind=127.0.0.1", "--secure-serving=false", "--log-format=json", "--threads=1"]);
    command.args(["--grpc-port=0", "--grpc-health-port=0", "--metrics-port=0", "--admin-port=0"]);
    command.stderr(Stdio::piped()).stdin(Stdio::null());
    Ok(command)
}

/// Where it listens for gRPC, once it says that it is ready.
fn address(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> anyhow::Result<SocketAddr> {
    let mut address = None;
    for line in lines {
        let line = line?;
        let Ok(said) = serde_json::from_str::<Value>(&line) else { bail!("it says: {line}") };
        match (said["message"].as_str(), said["port_name"].as_str()) {
            (Some("listening"), Some("grpc")) => {
                address = Some(said["address"].as_str().context("an address that is no string")?.parse()?);
            }
            (Some("ready"), _) => return address.context("it is ready and listens nowhere"),
            _ => {}
        }
    }
    bail!("it ended before it was ready")
}

/// Fields 14 and 15 of the process's `stat`, counted behind the name, which may hold anything.
fn ticks(process: &str) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
    let spent: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
    Ok(Duration::from_millis(spent * 1_000 / TICKS))
}
