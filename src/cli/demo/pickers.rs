//! The Homings of one side, and the Valkey through which they share, if they do.

use std::net::SocketAddr;
use std::path::Path;

use super::children::Part;
use super::page;
use super::valkey::Valkey;

/// What the shared state calls them.
const GROUP: &str = "demo";

/// The running Homings; dropping it kills them.
pub struct Pickers {
    homings: Vec<Part>,
    valkey: Option<Valkey>,
    grpc: Vec<SocketAddr>,
    admin: Vec<SocketAddr>,
}

// === impl Pickers ===

impl Pickers {
    /// Starts so many of them, and waits until each is ready and, where they share through a `valkey`, hears all others.
    pub async fn start(count: u8, endpoints: &str, valkey: Option<&Path>, folder: &Path) -> anyhow::Result<Self> {
        let valkey = match valkey {
            Some(binary) => Some(Valkey::start(binary, folder).await?),
            None => None,
        };
        let url = valkey.as_ref().map(Valkey::url);
        let mut homings = Vec::with_capacity(count.into());
        for name in names(count) {
            let serve = ["serve", "--endpoints-file", endpoints, "--bind", "127.0.0.1", "--secure-serving=false"];
            let ports = ["--grpc-port", "0", "--grpc-health-port", "0", "--metrics-port", "0", "--admin-port", "0"];
            let mut arguments = [&serve[..], &ports[..]].concat();
            if let Some(url) = &url {
                arguments.extend(["--shared-state", url, "--state-group", GROUP]);
            }
            homings.push(Part::homing(&name, &arguments, folder)?);
        }
        let (mut grpc, mut admin) = (Vec::new(), Vec::new());
        for homing in &mut homings {
            grpc.push(homing.port("grpc").await?);
            admin.push(homing.port("admin").await?);
            homing.message("ready").await?;
        }
        if url.is_some() {
            for homing in &mut homings {
                let metrics = homing.port("metrics").await?;
                homing.until(async || hears(metrics, count - 1).await.then_some(())).await?;
            }
        }
        Ok(Self { homings, valkey, grpc, admin })
    }

    /// Where Envoy asks.
    pub fn grpc(&self) -> &[SocketAddr] {
        &self.grpc
    }

    /// Their admin ports, at least one.
    pub fn admin(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// All processes.
    pub fn parts(&mut self) -> impl Iterator<Item = &mut Part> {
        self.homings.iter_mut().chain(self.valkey.as_mut().map(|valkey| &mut valkey.part))
    }

    /// All processes, to be stopped.
    pub fn into_parts(self) -> impl Iterator<Item = Part> {
        self.homings.into_iter().chain(self.valkey.map(|valkey| valkey.part))
    }
}

/// The only one has no number.
fn names(count: u8) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| if count == 1 { "homing".to_owned() } else { format!("homing-{number}") })
}

/// Whether the Homing with this metrics port hears so many others.
async fn hears(metrics: SocketAddr, others: u8) -> bool {
    let page = page::get(metrics, "/metrics").await.unwrap_or_default();
    String::from_utf8_lossy(&page).lines().any(|line| line == format!("homing_shared_state_replicas {others}"))
}
