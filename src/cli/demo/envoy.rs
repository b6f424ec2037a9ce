//! The real Envoy: where its binary is, its configuration, its ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::process::Command;

use super::children::Part;

/// Its configuration, before the ports are known.
const TEMPLATE: &str = include_str!("../../../deploy/envoy/demo.yaml.in");

/// The release that everything here is tested with.
const VERSION: &str = "1.40.0";

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
    if let Some(path) = flag.or_else(|| std::env::var_os("HOMING_ENVOY").map(PathBuf::from)) {
        anyhow::ensure!(path.is_file(), "no Envoy at {}: run `make parts`, which fetches it", path.display());
        return Ok(path);
    }
    fetched().with_context(|| {
        format!("Envoy {VERSION} is missing: run `make parts`, which fetches it, or name a binary with --envoy")
    })
}

/// Where `scripts/parts/envoy` puts it.
fn fetched() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let parts = folder("HOMING_PARTS")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("homing")))
        .or_else(|| Some(folder("HOME")?.join(".cache/homing")))?;
    let pythons = std::fs::read_dir(parts.join(format!("envoy-{VERSION}/lib"))).ok()?;
    let mut binaries = pythons.flatten().map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    binaries.find(|binary| binary.is_file())
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
    /// Starts Envoy in front of the engines and waits until it serves.
    pub async fn start(
        binary: &Path,
        engines: &[SocketAddr],
        picker: SocketAddr,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let config = folder.join("envoy.yaml");
        std::fs::write(&config, render(engines, picker)).context("cannot write Envoy's configuration")?;
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

fn render(engines: &[SocketAddr], picker: SocketAddr) -> String {
    let endpoint = |engine: &SocketAddr| {
        let (address, port) = (engine.ip(), engine.port());
        format!("{{endpoint: {{address: {{socket_address: {{address: {address}, port_value: {port}}}}}}}}}")
    };
    let engines: Vec<String> = engines.iter().map(endpoint).collect();
    let engines = format!("[{}]", engines.join(", "));
    TEMPLATE.replace("${ENGINES}", &engines).replace("${PICKER}", &picker.port().to_string())
}

async fn ready(admin: &str) -> bool {
    get(admin, "/ready").await.is_ok()
}

async fn get(admin: &str, path: &str) -> anyhow::Result<Bytes> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(format!("http://{admin}{path}").parse()?).await?;
    anyhow::ensure!(response.status().is_success(), "Envoy answers {}", response.status());
    Ok(response.into_body().collect().await?.to_bytes())
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
    fn the_rendered_configuration_names_every_engine_and_the_picker() {
        let engine = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let config = render(&[engine(7001), engine(7002)], engine(7003));
        assert!(!config.contains("${ENGINES}") && !config.contains("${PICKER}"));
        for (port, times) in [(7001, 2), (7002, 2), (7003, 1)] {
            assert_eq!(config.matches(&format!("port_value: {port}}}")).count(), times);
        }
    }

    #[test]
    fn a_missing_envoy_is_told_with_the_way_to_get_it() {
        let error = find(Some("/nowhere/envoy".into())).expect_err("there is none");
        assert!(error.to_string().contains("make parts"));
    }
}
