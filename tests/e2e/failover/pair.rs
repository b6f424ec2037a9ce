//! Two replicas of the picker behind one Envoy.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::envoy::{Envoy, Options};
use crate::support::files::Entry;
use crate::support::{Answer, Engine, Homing, eventually};

/// Time that an engine takes for an answer, so that some requests are in flight at any moment.
const ANSWER: Duration = Duration::from_millis(40);

const CONFIG: Option<&str> = Some("engineMetrics: {enabled: false}");

/// Three engines, two replicas with the same endpoints file, and the gateway of both.
pub struct Pair {
    pub envoy: Envoy,
    pub replicas: [Homing; 2],
    pub engines: Vec<Engine>,
}

impl Pair {
    /// Starts all, and waits until the gateway sends to both.
    pub async fn start(options: &Options) -> Self {
        let mut engines = Vec::new();
        for number in 1..=3 {
            let engine = Engine::start(&format!("r{number}")).await;
            engine.answer(Answer::After(ANSWER));
            engines.push(engine);
        }
        let entries: Vec<_> = engines.iter().map(Engine::entry).collect();
        let replicas = [Homing::start(&entries, CONFIG, &[]).await, Homing::start(&entries, CONFIG, &[]).await];
        let addresses = replicas.each_ref().map(|replica| replica.port("grpc"));
        let envoy = Envoy::start_with(options, &addresses, &[]).await;
        let pair = Self { envoy, replicas, engines };
        pair.is(&[true, true]).await;
        pair
    }

    /// Waits until the gateway takes each replica for healthy, or not, as said; or is about to.
    pub async fn is(&self, healthy: &[bool; 2]) {
        eventually(&format!("the replicas are taken for healthy: {healthy:?}"), async || {
            let hosts = self.envoy.pickers().await;
            hosts.iter().map(|host| host.healthy).eq(*healthy).then_some(())
        })
        .await;
    }

    /// Starts another process in the place of a replica that has ended, at the same address.
    pub async fn replace(&mut self, which: usize) {
        let port = self.replicas[which].port("grpc").port().to_string();
        self.replicas[which] = Homing::start(&self.entries(), CONFIG, &["--grpc-port", &port]).await;
    }

    pub fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    fn entries(&self) -> Vec<Entry> {
        self.engines.iter().map(Engine::entry).collect()
    }
}
