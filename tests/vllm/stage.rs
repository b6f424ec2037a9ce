//! Homing and Envoy before the replicas.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use homing::cli::demo::children::Part;
use homing::cli::demo::envoy::{Envoy, Listener};
use tokio::process::Command;

use crate::http;
use crate::parts::Parts;

/// What runs beside the replicas; dropping it ends it.
pub struct Stage {
    homing: Part,
    admin: SocketAddr,
    metrics: SocketAddr,
    envoy: Envoy,
}

/// Where it can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Homing's.
    pub admin: SocketAddr,
    metrics: SocketAddr,
    /// Envoy's, where it goes its own way and where Homing picks.
    pub round_robin: SocketAddr,
    pub homing: SocketAddr,
}

// === impl Stage ===

impl Stage {
    /// The endpoints are `r1`, `r2` and so on, in the order of `replicas`.
    pub async fn start(
        parts: &Parts,
        replicas: &[SocketAddr],
        config: Option<&Path>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let endpoints = folder.join("endpoints.yaml");
        let lines = (1..)
            .zip(replicas)
            .map(|(number, it)| format!("  - {{name: r{number}, address: {}, port: {}}}\n", it.ip(), it.port()));
        let document: String = std::iter::once("endpoints:\n".to_owned()).chain(lines).collect();
        fs::write(&endpoints, document).context("cannot write the endpoints file")?;

        let mut command = Command::new(&parts.homing);
        command.args(["serve", "--bind", "127.0.0.1", "--secure-serving=false", "--log-format", "json"]);
        command.args(["--grpc-port", "0", "--grpc-health-port", "0", "--metrics-port", "0", "--admin-port", "0"]);
        command.arg("--endpoints-file").arg(&endpoints).env("HOMING_LOG", "info");
        if let Some(config) = config {
            command.arg("--config-file").arg(config);
        }
        let mut homing = Part::start("homing", command, folder)?;
        let (grpc, admin) = (homing.port("grpc").await?, homing.port("admin").await?);
        let metrics = homing.port("metrics").await?;
        homing.message("ready").await?;
        let envoy = Envoy::start(&parts.envoy, replicas, &[grpc], folder).await?;
        Ok(Self { homing, admin, metrics, envoy })
    }

    pub fn ports(&self) -> anyhow::Result<Ports> {
        let Self { admin, metrics, envoy, .. } = self;
        let [round_robin, homing] = [envoy.listener(Listener::RoundRobin)?, envoy.listener(Listener::Homing)?];
        Ok(Ports { admin: *admin, metrics: *metrics, round_robin, homing })
    }

    /// Waits until a part ends, which none should.
    pub async fn death(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.homing.death() => error,
            error = self.envoy.part.death() => error,
        }
    }
}

// === impl Ports ===

impl Ports {
    /// The value of one of Homing's metrics without labels.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let page = http::get(self.metrics, "/metrics").await?;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("Homing has no {name}"))
    }
}
