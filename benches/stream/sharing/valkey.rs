//! A real Valkey of our own, and what it spends.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use redis::{Client, InfoDict, cmd};
use tempfile::TempDir;

use crate::process;

/// It starts within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running Valkey; killed when dropped. It runs where the load does.
#[derive(Debug)]
pub struct Valkey {
    child: Child,
    address: SocketAddr,
    _files: TempDir,
}

/// What it has spent and moved so far, or within a time.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    pub cpu: Duration,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Not counted, but as it is now.
    pub memory: u64,
}

impl Valkey {
    /// Starts it, empty, as `HOMING_VALKEY` names it.
    pub async fn start() -> anyhow::Result<Self> {
        let program = std::env::var("HOMING_VALKEY").context("HOMING_VALKEY is not set: see scripts/parts/valkey")?;
        let files = tempfile::tempdir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.arg("--bind").arg(address.ip().to_string()).arg("--port").arg(address.port().to_string());
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]).arg("--dir").arg(files.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let valkey = Self { child, address, _files: files };
        let began = Instant::now();
        while let Err(error) = valkey.connect().await {
            anyhow::ensure!(began.elapsed() < PATIENCE, "Valkey does not answer: {error}");
            tokio::task::yield_now().await;
        }
        Ok(valkey)
    }

    /// As `--shared-state` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// CPU time that it has spent.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        process::cpu_time(self.child.id())
    }

    /// What it has spent and moved so far.
    pub async fn spent(&self) -> anyhow::Result<Spent> {
        let info: InfoDict = cmd("INFO").arg("everything").query_async(&mut self.connect().await?).await?;
        let number = |name: &str| info.get::<u64>(name).with_context(|| format!("Valkey does not say {name}"));
        Ok(Spent {
            cpu: self.cpu_time()?,
            bytes_in: number("total_net_input_bytes")?,
            bytes_out: number("total_net_output_bytes")?,
            memory: number("used_memory")?,
        })
    }

    async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        Ok(Client::open(self.url())?.get_multiplexed_async_connection().await?)
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Spent {
    /// Since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            bytes_in: self.bytes_in - before.bytes_in,
            bytes_out: self.bytes_out - before.bytes_out,
            memory: self.memory,
        }
    }
}
