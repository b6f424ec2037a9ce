//! Engines, Homing and Envoy in one line; nothing is shared between two worlds.

use std::net::SocketAddr;

use super::client::{Connection, Protocol, Reply};
use super::engine::Engine;
use super::envoy::{Envoy, Options};
use super::files::Entry;
use super::homing::Homing;
use super::prompts::chat;

/// A gateway with its engines; their names are `r1`, `r2` and so on.
pub struct World {
    pub envoy: Envoy,
    pub homing: Homing,
    pub engines: Vec<Engine>,
}

/// What a [`World`] is made of.
pub struct Builder {
    engines: usize,
    adopted: Vec<Engine>,
    rest: Option<&'static str>,
    pool: Option<Vec<usize>>,
    extra: Vec<Entry>,
    config: Option<String>,
    flags: Vec<&'static str>,
    picker_port: Option<String>,
    envoy: Options,
}

impl World {
    /// A world of `engines` engines and no further wishes.
    pub async fn of(engines: usize) -> Self {
        Self::builder(engines).start().await
    }

    pub fn builder(engines: usize) -> Builder {
        let envoy = Options::default();
        Builder {
            engines,
            adopted: Vec::new(),
            rest: None,
            pool: None,
            extra: Vec::new(),
            config: None,
            flags: Vec::new(),
            picker_port: None,
            envoy,
        }
    }

    /// A new connection to Envoy.
    pub async fn connect(&self, protocol: Protocol) -> Connection {
        self.envoy.connect(protocol).await
    }

    /// One request over a connection of its own.
    pub async fn exchange(&self, request: http::Request<super::Body>) -> Reply {
        self.connect(Protocol::Http1).await.exchange(request).await
    }

    /// One chat completion.
    pub async fn chat(&self, session: Option<&str>, system: &str, question: &str) -> Reply {
        self.exchange(chat(session, system, question)).await
    }

    /// The engine of that name.
    pub fn engine(&self, name: &str) -> &Engine {
        self.engines.iter().find(|engine| engine.name() == name).unwrap_or_else(|| panic!("no engine {name:?}"))
    }

    /// The engine of that name, to do something to it.
    pub fn engine_mut(&mut self, name: &str) -> &mut Engine {
        self.engines.iter_mut().find(|engine| engine.name() == name).unwrap_or_else(|| panic!("no engine {name:?}"))
    }

    /// The lines of all engines in the endpoints file.
    pub fn entries(&self) -> Vec<Entry> {
        self.engines.iter().map(Engine::entry).collect()
    }

    /// The same without one of them.
    pub fn entries_without(&self, name: &str) -> Vec<Entry> {
        self.engines.iter().filter(|engine| engine.name() != name).map(Engine::entry).collect()
    }

    /// The same, with `rest` on the line of one of them.
    pub fn entries_with(&self, name: &str, rest: &'static str) -> Vec<Entry> {
        let mark = |engine: &Engine| engine.entry_with((engine.name() == name).then_some(rest));
        self.engines.iter().map(mark).collect()
    }
}

// === impl Builder ===

impl Builder {
    /// Only these engines, by index, are in the endpoints file; by default all are.
    pub fn pool(mut self, indices: &[usize]) -> Self {
        self.pool = Some(indices.to_vec());
        self
    }

    /// Engines that run already, in front of those that are started.
    pub fn adopt(mut self, engines: Vec<Engine>) -> Self {
        self.adopted = engines;
        self
    }

    /// All engines are in the endpoints file with weight 0: the gateway knows them, Homing may pick none.
    pub fn weightless(mut self) -> Self {
        self.rest = Some("weight: 0");
        self
    }

    /// One more line in the endpoints file, for an engine that this world does not run.
    pub fn endpoint(mut self, name: &str, address: SocketAddr) -> Self {
        self.extra.push(Entry { name: name.to_owned(), address, rest: None });
        self
    }

    /// Top-level fields of the configuration; there is no configuration file without this.
    pub fn config(mut self, fields: &str) -> Self {
        self.config = Some(fields.to_owned());
        self
    }

    /// Further flags of `homing serve`.
    pub fn flags(mut self, flags: &[&'static str]) -> Self {
        self.flags.extend(flags);
        self
    }

    /// Where Homing listens for Envoy; by default at any free port.
    pub fn picker_port(mut self, port: &str) -> Self {
        self.picker_port = Some(port.to_owned());
        self
    }

    /// How Envoy is set up.
    pub fn envoy(mut self, envoy: Options) -> Self {
        self.envoy = envoy;
        self
    }

    pub async fn start(self) -> World {
        let Self { engines: count, adopted, rest, pool, extra, config, flags, picker_port, envoy } = self;
        let mut engines = adopted;
        for number in 1..=count {
            engines.push(Engine::start(&format!("r{number}")).await);
        }
        let in_pool = |index: &usize| pool.as_ref().is_none_or(|pool| pool.contains(index));
        let mut entries: Vec<Entry> =
            (0..engines.len()).filter(in_pool).map(|index| engines[index].entry_with(rest)).collect();
        entries.extend(extra);
        let mut flags: Vec<&str> = flags;
        flags.extend(picker_port.iter().flat_map(|port| ["--grpc-port", port]));
        let homing = Homing::start(&entries, config.as_deref(), &flags).await;
        let addresses: Vec<SocketAddr> = entries.iter().map(|entry| entry.address).collect();
        let envoy = Envoy::start(&envoy, homing.port("grpc"), &addresses).await;
        World { envoy, homing, engines }
    }
}
