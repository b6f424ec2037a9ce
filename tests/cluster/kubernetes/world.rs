//! A namespace, engines that are pods, Homing and Envoy; nothing but the control plane is shared between two worlds.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::control_plane::ControlPlane;
use super::namespace::Namespace;
use super::objects::PodOf;
use crate::support::envoy::{Envoy, Options};
use crate::support::{Connection, Engine, Homing, Protocol, Reply, chat, eventually};

/// The pool of all worlds.
pub const POOL: &str = "pool";
/// Its target port where it has one.
pub const PORT: u16 = 8000;

/// Engines that are pods of a namespace.
pub struct Site {
    pub namespace: Namespace,
    pub engines: Vec<Engine>,
    pub pods: Vec<PodOf>,
    /// Loopback addresses of this site begin so.
    subnet: [u8; 3],
}

/// A site that is served.
pub struct World {
    pub site: Site,
    pub homing: Homing,
    pub envoy: Envoy,
}

// === impl Site ===

impl Site {
    /// A namespace without a pool and without pods.
    pub async fn new(plane: &ControlPlane) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let [.., low] = process::id().to_be_bytes();
        let subnet = [127, 192 + NEXT.fetch_add(1, Ordering::Relaxed) % 60, low];
        Self { namespace: Namespace::create(plane).await, engines: Vec::new(), pods: Vec::new(), subnet }
    }

    /// The address of pod `number`, from 1.
    pub fn address(&self, number: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, number)
    }

    /// One more engine, which listens on `ports` of a new address, and its pod, which is ready.
    pub async fn add(&mut self, name: &str, ports: &[u16]) {
        let number = u8::try_from(self.pods.len() + 1).expect("a site has few engines");
        self.add_pod(PodOf::new(name, self.address(number)), ports).await;
    }

    /// The same for a pod that is described.
    pub async fn add_pod(&mut self, pod: PodOf, ports: &[u16]) {
        for (rank, port) in ports.iter().enumerate() {
            let name = if ports.len() > 1 { format!("{}-rank-{rank}", pod.name) } else { pod.name.clone() };
            self.engines.push(Engine::start_at(&name, SocketAddr::from((pod.address, *port))).await);
        }
        self.namespace.pod(&pod).await;
        self.pods.push(pod);
    }

    /// Reports a change of a pod's status.
    pub async fn report(&mut self, name: &str, change: impl FnOnce(&mut PodOf)) {
        let pod = self.pods.iter_mut().find(|pod| pod.name == name).unwrap_or_else(|| panic!("no pod {name}"));
        change(pod);
        self.namespace.report(&pod.clone()).await;
    }

    /// Homing under its own ServiceAccount; `flags` say which pool. Waits until it listens, and for nothing more.
    pub async fn launch(&self, flags: &[&str]) -> Homing {
        let folder = TempDir::new().expect("a folder for temporary files");
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, &self.namespace.kubeconfig).expect("the folder takes files");
        let environment: [(&str, &OsStr); 2] =
            [("KUBECONFIG", kubeconfig.as_os_str()), ("HOSTNAME", OsStr::new("homing-0"))];
        Homing::launch(folder, flags, &environment).await
    }

    /// Homing for [`POOL`], once it is ready.
    pub async fn homing(&self, flags: &[&str]) -> Homing {
        let mut homing = self.launch(&[&["--pool-name", POOL], flags].concat()).await;
        homing.is_ready().await;
        homing
    }

    /// A gateway in front of `homing`, which is told all of the site's engines.
    pub async fn serve(self, homing: Homing) -> World {
        let engines: Vec<SocketAddr> = self.engines.iter().map(Engine::address).collect();
        let envoy = Envoy::start(&Options::default(), homing.port("grpc"), &engines).await;
        World { site: self, homing, envoy }
    }
}

// === impl World ===

impl World {
    /// `engines` engines in one pool, on the control plane that all tests share.
    pub async fn of(engines: usize, flags: &[&str]) -> Self {
        Self::on(ControlPlane::shared().await, engines, flags).await
    }

    /// The same on a control plane of the test's own.
    pub async fn on(plane: &ControlPlane, engines: usize, flags: &[&str]) -> Self {
        let mut site = Site::new(plane).await;
        site.namespace.pool(POOL, "engine", &[PORT]).await;
        for number in 1..=engines {
            site.add(&format!("r{number}"), &[PORT]).await;
        }
        let homing = site.homing(flags).await;
        site.serve(homing).await
    }

    /// One chat completion over a connection of its own.
    pub async fn chat(&self, session: Option<&str>, system: &str) -> Reply {
        let mut connection: Connection = self.envoy.connect(Protocol::Http1).await;
        connection.exchange(chat(session, system, "hello")).await
    }

    /// Who serves a new request.
    pub async fn served_by(&self) -> String {
        self.chat(None, "short").await.ok().served_by().to_owned()
    }

    /// Waits until exactly these endpoints are in service; those that are away are not.
    pub async fn serves(&self, names: &[&str]) {
        serves(&self.homing, names).await;
    }
}

/// Waits until `homing` sends requests to exactly these endpoints.
pub async fn serves(homing: &Homing, names: &[&str]) {
    let mut wanted: Vec<&str> = names.to_vec();
    wanted.sort_unstable();
    eventually(&format!("the endpoints are {wanted:?}"), async || {
        let mut found = endpoints(homing).await;
        found.retain(|endpoint| endpoint["ready"] == true && endpoint["weight"].as_f64() > Some(0.0));
        let mut names: Vec<&str> = found.iter().filter_map(|endpoint| endpoint["name"].as_str()).collect();
        names.sort_unstable();
        (names == wanted).then_some(())
    })
    .await;
}

/// All endpoints that `homing` knows, as its admin port shows them.
pub async fn endpoints(homing: &Homing) -> Vec<Value> {
    homing.page("admin", "/endpoints").await.ok().json().as_array().expect("an array of endpoints").clone()
}
