//! Everything that runs during one side: six engines, one or several Homings and Envoy, each a process of its own.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use futures_util::future::select_all;

use super::children::Part;
use super::envoy::{Envoy, Listener};
use super::pickers::Pickers;

const ENGINES: usize = 6;

/// The running parts; dropping it kills them.
pub struct Stage {
    engines: Vec<Part>,
    pickers: Pickers,
    envoy: Envoy,
    round_robin: SocketAddr,
    through_homing: SocketAddr,
}

impl Stage {
    /// Starts all parts afresh, with so many Homings that share through a `valkey`, if one is given; their logs go to
    /// `folder`.
    pub async fn start(envoy: &Path, pickers: u8, valkey: Option<&Path>, folder: &Path) -> anyhow::Result<Self> {
        let mut engines = Vec::with_capacity(ENGINES);
        for name in engine_names() {
            engines.push(Part::homing(&name, &["engine", "--port", "0", "--name", &name], folder)?);
        }
        let mut addresses = Vec::with_capacity(ENGINES);
        for engine in &mut engines {
            addresses.push(engine.port("http").await?);
        }

        let endpoints = folder.join("endpoints.yaml");
        std::fs::write(&endpoints, endpoints_file(&addresses)).context("cannot write the endpoints file")?;
        let endpoints = endpoints.to_str().context("the output folder's name is not text")?;
        let pickers = Pickers::start(pickers, endpoints, valkey, folder).await?;

        let envoy = Envoy::start(envoy, &addresses, pickers.grpc(), folder).await?;
        let (round_robin, through_homing) = (envoy.listener(Listener::RoundRobin)?, envoy.listener(Listener::Homing)?);
        Ok(Self { engines, pickers, envoy, round_robin, through_homing })
    }

    /// Where a policy's requests go.
    pub fn listener(&self, listener: Listener) -> SocketAddr {
        match listener {
            Listener::RoundRobin => self.round_robin,
            Listener::Homing => self.through_homing,
        }
    }

    /// The first Homing's admin port.
    pub fn homing_admin(&self) -> SocketAddr {
        self.pickers.admin()[0]
    }

    /// The names of the engines, in order.
    pub fn engine_names(&self) -> Vec<String> {
        engine_names().collect()
    }

    /// Waits until a part ends, which none should; says which and how.
    pub async fn death(&mut self) -> anyhow::Error {
        let parts = self.engines.iter_mut().chain(self.pickers.parts()).chain([&mut self.envoy.part]);
        let (death, _, _) = select_all(parts.map(|part| Box::pin(part.death()))).await;
        death
    }

    /// Kills all parts and waits until they are gone.
    pub async fn stop(self) {
        let Self { engines, pickers, envoy, .. } = self;
        for part in engines.into_iter().chain(pickers.into_parts()).chain([envoy.part]) {
            part.stop().await;
        }
    }

    /// What a person can try while the parts run.
    pub fn curl_lines(&self) -> String {
        let Self { round_robin, through_homing, pickers, .. } = self;
        let body = r#"'{"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 20}'"#;
        let mut lines = format!(
            "\nStill running; Ctrl-C ends it. Try:\n\
             \x20 curl -i http://{through_homing}/v1/chat/completions -d {body}\n\
             \x20 curl -i http://{through_homing}/v1/chat/completions -H 'X-Session-Id: mine' -d {body}\n\
             \x20 curl -i http://{round_robin}/v1/chat/completions -d {body}"
        );
        for admin in pickers.admin() {
            lines += &format!("\n  curl http://{admin}/decisions?limit=1\n  curl http://{admin}/endpoints");
        }
        lines
    }
}

fn engine_names() -> impl Iterator<Item = String> {
    (1..=ENGINES).map(|number| format!("r{number}"))
}

fn endpoints_file(addresses: &[SocketAddr]) -> String {
    let lines = engine_names().zip(addresses).map(|(name, address)| {
        let (ip, port) = (address.ip(), address.port());
        format!("  - {{name: {name}, address: {ip}, port: {port}}}\n")
    });
    std::iter::once("endpoints:\n".to_owned()).chain(lines).collect()
}
