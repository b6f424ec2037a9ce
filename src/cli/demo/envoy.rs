//! The real Envoy: where its binary is, its configuration, its ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use tokio::process::Command;

use super::children::Part;
use super::page::get;
use super::parts::Program;

/// Its configuration, before the ports are known.
const TEMPLATE: &str = include_str!("../../../deploy/envoy/demo.yaml.in");

const PROGRAM: Program = Program {
    name: "Envoy",
    version: "1.40.0",
    flag: "--envoy",
    variable: "HOMING_ENVOY",
    file: "envoy-1.40.0/lib/*/site-packages/envoy/_bin/envoy",
};

/// The two ways through Envoy to the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// By Envoy alone.
    RoundRobin,
    /// Homing picks.
    Homing,
}

/// A running Envoy.
pub struct Envoy {
    /// Its process.
    pub part: Part,
    listeners: Vec<(String, SocketAddr)>,
}

#[derive(Deserialize)]
struct Listeners {
    #[serde(default)]
    listener_statuses: Vec<ListenerStatus>,
}

#[derive(Deserialize)]
struct ListenerStatus {
    name: String,
    local_address: LocalAddress,
}

#[derive(Deserialize)]
struct LocalAddress {
    socket_address: SocketAddress,
}

#[derive(Deserialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

/// Finds Envoy's binary: the flag, else HOMING_ENVOY, else what `make parts` fetched.
pub fn find(flag: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    PROGRAM.find(flag)
}

// === impl Listener ===

impl Listener {
    /// The policy's name in reports, and the listener's in Envoy's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Homing => "homing",
        }
    }
}

// === impl Envoy ===

impl Envoy {
    /// Starts Envoy in front of the engines, which asks the pickers in turn, and waits until it serves.
    pub async fn start(
        binary: &Path,
        engines: &[SocketAddr],
        pickers: &[SocketAddr],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let config = folder.join("envoy.yaml");
        std::fs::write(&config, render(engines, pickers)).context("cannot write Envoy's configuration")?;
        let admin_file = folder.join("envoy-admin-address");
        // Left by an earlier run.
        let _ = std::fs::remove_file(&admin_file);

        let mut command = Command::new(binary);
        command.arg("--config-path").arg(&config).arg("--admin-address-path").arg(&admin_file);
        // One worker, for steady figures; no hot restart, so that several Envoys never meet.
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]);
        command.args(["--file-flush-interval-msec", "20"]);
        let mut part = Part::start("envoy", command, folder)?;
        let listeners = part
            .until(async || {
                let admin = tokio::fs::read_to_string(&admin_file).await.ok()?;
                let page = get(&admin, "/listeners?format=json").await.ok()?;
                let Listeners { listener_statuses } = serde_json::from_slice(&page).ok()?;
                let found: Vec<_> = listener_statuses.into_iter().filter_map(ListenerStatus::into_address).collect();
                (found.len() == 2 && ready(&admin).await).then_some(found)
            })
            .await?;
        Ok(Self { part, listeners })
    }

    /// Where a listener listens.
    pub fn listener(&self, listener: Listener) -> anyhow::Result<SocketAddr> {
        let found = self.listeners.iter().find(|(name, _)| name == listener.name());
        found.map(|(_, address)| *address).with_context(|| format!("Envoy has no listener {}", listener.name()))
    }
}

fn render(engines: &[SocketAddr], pickers: &[SocketAddr]) -> String {
    TEMPLATE.replace("${ENGINES}", &endpoints(engines)).replace("${PICKERS}", &endpoints(pickers))
}

fn endpoints(addresses: &[SocketAddr]) -> String {
    let endpoint = |address: &SocketAddr| {
        let (ip, port) = (address.ip(), address.port());
        format!("{{endpoint: {{address: {{socket_address: {{address: {ip}, port_value: {port}}}}}}}}}")
    };
    let endpoints: Vec<String> = addresses.iter().map(endpoint).collect();
    format!("[{}]", endpoints.join(", "))
}

async fn ready(admin: &str) -> bool {
    get(admin, "/ready").await.is_ok()
}

// === impl ListenerStatus ===

impl ListenerStatus {
    fn into_address(self) -> Option<(String, SocketAddr)> {
        let SocketAddress { address, port_value } = self.local_address.socket_address;
        Some((self.name, SocketAddr::new(address.parse().ok()?, port_value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rendered_configuration_names_every_engine_and_every_picker() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let config = render(&[at(7001), at(7002)], &[at(7003), at(7004)]);
        assert!(!config.contains("${ENGINES}") && !config.contains("${PICKERS}"));
        for (port, times) in [(7001, 2), (7002, 2), (7003, 1), (7004, 1)] {
            assert_eq!(config.matches(&format!("port_value: {port}}}")).count(), times);
        }
    }
}
