//! `homing engine`, as processes of their own behind a gateway: what the demo shows, to be asked by real clients.

use std::net::SocketAddr;
use std::process::Command;

use super::envoy::{Envoy, Options};
use super::files::Entry;
use super::homing::{Homing, binary};
use super::process::Process;

/// Fast, so that a test waits for nothing.
const CONSTANTS: &str = "--prefill-tokens-per-second 1000000 --decode-step 1ms";

/// A simulated engine.
pub struct SimulatedEngine {
    pub name: String,
    pub address: SocketAddr,
    _process: Process,
}

/// A gateway with simulated engines; their names are `r1`, `r2` and so on.
pub struct Simulation {
    pub envoy: Envoy,
    pub homing: Homing,
    pub engines: Vec<SimulatedEngine>,
}

// === impl SimulatedEngine ===

impl SimulatedEngine {
    /// Starts it on a free port and waits until it listens.
    pub async fn start(name: &str) -> Self {
        let mut command = Command::new(binary());
        command.args(["engine", "--bind", "127.0.0.1", "--port", "0", "--name", name, "--log-format", "json"]);
        command.args(CONSTANTS.split(' '));
        let mut process = Process::spawn(name, command);
        let line = process.log_line("its port", 0, |line| line["port_name"] == "http").await;
        let address = line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address");
        Self { name: name.to_owned(), address, _process: process }
    }
}

// === impl Simulation ===

impl Simulation {
    /// Starts everything.
    pub async fn of(count: usize) -> Self {
        let mut engines = Vec::with_capacity(count);
        for number in 1..=count {
            engines.push(SimulatedEngine::start(&format!("r{number}")).await);
        }
        let entry = |engine: &SimulatedEngine| Entry { name: engine.name.clone(), address: engine.address, rest: None };
        let entries: Vec<Entry> = engines.iter().map(entry).collect();
        let homing = Homing::start(&entries, None, &[]).await;
        let addresses: Vec<SocketAddr> = engines.iter().map(|engine| engine.address).collect();
        let envoy = Envoy::start(&Options::default(), homing.port("grpc"), &addresses).await;
        Self { envoy, homing, engines }
    }
}
