//! Several replicas of one picker, each behind an Envoy of its own, over the same engines.

use std::net::SocketAddr;

use crate::support::envoy::{Envoy, Options};
use crate::support::files::Entry;
use crate::support::forward::forward;
use crate::support::{Connection, Engine, Homing, Protocol, chat, eventually};

/// They scrape nothing, so that what they know is what they are told.
pub const CONFIG: &str = "engineMetrics: {enabled: false}";

/// The replicas, and what is before and behind them.
pub struct Site {
    pub engines: Vec<Engine>,
    pub homings: Vec<Homing>,
    pub envoys: Vec<Envoy>,
}

impl Site {
    /// So many replicas over so many engines, that share through the server of this URL and hear each other.
    pub async fn of(replicas: usize, engines: usize, url: &str) -> Self {
        let site = Self::with(engines, &vec![vec!["--shared-state", url]; replicas]).await;
        site.hear_each_other().await;
        site
    }

    /// One replica for each of these flags, whatever they hear.
    pub async fn with(engines: usize, flags: &[Vec<&str>]) -> Self {
        let mut site = Self { engines: Vec::new(), homings: Vec::new(), envoys: Vec::new() };
        for number in 0..engines {
            site.engines.push(Engine::start(&format!("r{number}")).await);
        }
        for flags in flags {
            site.join(flags).await;
        }
        site
    }

    /// One more replica with these flags; returns once it is ready.
    pub async fn join(&mut self, flags: &[&str]) {
        let entries: Vec<Entry> = self.engines.iter().map(Engine::entry).collect();
        let flags = [&["--state-group", "site"], flags].concat();
        let homing = Homing::start(&entries, Some(CONFIG), &flags).await;
        let addresses: Vec<SocketAddr> = self.engines.iter().map(Engine::address).collect();
        self.envoys.push(Envoy::start(&Options::default(), homing.port("grpc"), &addresses).await);
        self.homings.push(homing);
    }

    /// Waits until each replica hears all others and can be heard.
    pub async fn hear_each_other(&self) {
        let others = (self.homings.len() - 1) as f64;
        for homing in &self.homings {
            eventually("all replicas hear each other", async || {
                let heard = homing.metric("homing_shared_state_replicas").await?;
                let connected = homing.metric("homing_shared_state_connected{}").await?;
                (heard == others && connected == 1.0).then_some(())
            })
            .await;
        }
    }

    /// Waits until what any replica knows now was told to all others: each hears two more updates of each.
    pub async fn is_told(&self) {
        let received = "homing_shared_state_messages_total{direction=\"received\"}";
        let sent = "homing_shared_state_messages_total{direction=\"sent\"}";
        let before: Vec<_> = futures_util::future::join_all(self.homings.iter().map(|it| it.count(sent))).await;
        for (homing, before) in self.homings.iter().zip(before) {
            eventually("it tells twice more", async || (homing.count(sent).await >= before + 2).then_some(())).await;
        }
        for homing in self.homings.iter().filter(|_| self.homings.len() > 1) {
            let heard = homing.count(received).await;
            eventually("it hears more", async || (homing.count(received).await > heard).then_some(())).await;
        }
    }

    /// One chat through one of the replicas; the name of who served it.
    pub async fn chat(&self, replica: usize, session: Option<&str>, system: &str) -> String {
        let mut connection: Connection = self.envoys[replica].connect(Protocol::Http1).await;
        connection.exchange(chat(session, system, "What now?")).await.ok().served_by().to_owned()
    }
}

/// A way to a server that can be shut.
pub struct Door {
    address: SocketAddr,
    to: SocketAddr,
    passing: Option<tokio::task::JoinHandle<()>>,
}

impl Door {
    /// An open one.
    pub async fn to(server: SocketAddr) -> Self {
        let mut door = Self { address: ([127, 0, 0, 1], 0).into(), to: server, passing: None };
        door.open().await;
        door
    }

    /// As `--shared-state` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Opens it where it was before.
    pub async fn open(&mut self) {
        let listener =
            eventually("the port is free", async || tokio::net::TcpListener::bind(self.address).await.ok()).await;
        self.address = listener.local_addr().expect("bound");
        let to = self.to;
        self.passing = Some(tokio::spawn(async move {
            let connections = tokio_stream::wrappers::TcpListenerStream::new(listener);
            forward(connections, move || tokio::net::TcpStream::connect(to)).await;
        }));
    }

    /// Shuts it, and breaks all that goes through it.
    pub fn close(&mut self) {
        self.passing.take().into_iter().for_each(|passing| passing.abort());
    }
}
