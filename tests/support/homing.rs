//! `homing serve`, as its own process, with the two files that it watches.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::Value;
use tempfile::TempDir;

use super::client::{Connection, Protocol};
use super::files::{Entry, config_document, endpoints_document, replace};
use super::process::Process;
use super::prompts::get;
use super::wait::eventually;

/// The binary under test; `HOMING_BIN` names another build, one that is wrong on purpose for example.
pub fn binary() -> PathBuf {
    // Cargo builds one for tests alone.
    let built = option_env!("CARGO_BIN_EXE_homing").map(PathBuf::from);
    std::env::var_os("HOMING_BIN").map(PathBuf::from).or(built).expect("HOMING_BIN is set")
}

/// A running picker.
pub struct Homing {
    process: Process,
    ports: BTreeMap<String, SocketAddr>,
    folder: TempDir,
}

/// What the admin port says of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    pub waiting_tokens: f64,
    pub in_flight: u64,
}

/// A decision, as the admin port tells it.
#[derive(Clone, Debug)]
pub struct Decision {
    pub endpoint: String,
    pub reason: String,
    pub document: Value,
}

impl Homing {
    /// Starts it and waits until it listens and has read its endpoints.
    pub async fn start(endpoints: &[Entry], config: Option<&str>, flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let endpoints_file = folder.path().join("endpoints.yaml");
        fs::write(&endpoints_file, endpoints_document(endpoints)).expect("the folder takes files");
        let mut arguments: Vec<&OsStr> = vec!["serve".as_ref(), "--endpoints-file".as_ref(), endpoints_file.as_ref()];
        let config_file = folder.path().join("config.yaml");
        if let Some(fields) = config {
            fs::write(&config_file, config_document(fields)).expect("the folder takes files");
            arguments.extend(["--config-file".as_ref(), config_file.as_os_str()]);
        }
        let free_ports = "--bind 127.0.0.1 --grpc-health-port 0 --metrics-port 0 --admin-port 0";
        arguments.extend(free_ports.split(' ').chain(["--log-format", "json"]).map(OsStr::new));
        if !flags.contains(&"--grpc-port") {
            arguments.extend(["--grpc-port", "0"].map(OsStr::new));
        }
        if !flags.iter().any(|flag| flag.starts_with("--secure-serving")) {
            arguments.push("--secure-serving=false".as_ref());
        }
        arguments.extend(flags.iter().map(OsStr::new));
        Self::spawn(folder, &arguments).await
    }

    /// Starts it with `flags`, which say where its endpoints come from, and with `environment`; waits until it
    /// listens, and for nothing more.
    pub async fn launch(folder: TempDir, flags: &[&str], environment: &[(&str, &OsStr)]) -> Self {
        let free_ports = "--bind 127.0.0.1 --grpc-port 0 --grpc-health-port 0 --metrics-port 0 --admin-port 0";
        let fixed = free_ports.split(' ').chain(["--log-format", "json", "--secure-serving=false"]);
        let arguments: Vec<&OsStr> =
            ["serve"].into_iter().chain(fixed).chain(flags.iter().copied()).map(OsStr::new).collect();
        Self::listening(folder, &arguments, environment).await
    }

    /// Starts it with exactly these arguments; they must ask for free ports and for logs in JSON.
    pub async fn start_with(folder: TempDir, arguments: &[String]) -> Self {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        Self::spawn(folder, &arguments).await
    }

    async fn spawn(folder: TempDir, arguments: &[&OsStr]) -> Self {
        let mut homing = Self::listening(folder, arguments, &[]).await;
        homing.is_ready().await;
        homing
    }

    /// Waits until it says that it is ready.
    pub async fn is_ready(&mut self) {
        self.process.log_line("ready", 0, |line| line["message"] == "ready").await;
    }

    async fn listening(folder: TempDir, arguments: &[&OsStr], environment: &[(&str, &OsStr)]) -> Self {
        let mut command = Command::new(binary());
        command.args(arguments).env("HOMING_LOG", "info,homing=trace");
        command.envs(environment.iter().copied());
        let mut process = Process::spawn("homing", command);
        let mut ports = BTreeMap::new();
        for name in ["grpc", "health", "metrics", "admin"] {
            let line = process.log_line(&format!("port {name}"), 0, |line| line["port_name"] == name).await;
            let address = line["address"].as_str().expect("an address");
            ports.insert(name.to_owned(), address.parse().expect("an ip and a port"));
        }
        Self { process, ports, folder }
    }

    /// The address of a port by its name in the log: `grpc`, `health`, `metrics` or `admin`.
    pub fn port(&self, name: &str) -> SocketAddr {
        self.ports[name]
    }

    /// A page of the `metrics` or the `admin` port: status, headers and body.
    pub async fn page(&self, port: &str, path: &str) -> super::client::Reply {
        let mut connection = Connection::open(self.port(port), Protocol::Http1).await.expect("the port accepts");
        connection.exchange(get(path)).await
    }

    /// Every endpoint with its load.
    pub async fn loads(&self) -> Vec<Load> {
        let document = self.page("admin", "/endpoints").await.ok().json();
        let endpoints = document.as_array().expect("an array of endpoints").iter();
        endpoints
            .map(|endpoint| Load {
                name: endpoint["name"].as_str().expect("a name").to_owned(),
                waiting_tokens: endpoint["waitingTokens"].as_f64().expect("waiting tokens"),
                in_flight: endpoint["inFlight"].as_u64().expect("requests in flight"),
            })
            .collect()
    }

    /// Requests that are booked on all endpoints together.
    pub async fn in_flight(&self) -> u64 {
        self.loads().await.iter().map(|load| load.in_flight).sum()
    }

    /// Waits until `count` requests are booked.
    pub async fn books(&self, count: u64) {
        eventually(&format!("{count} requests are booked"), async || (self.in_flight().await == count).then_some(()))
            .await;
    }

    /// Waits until nothing is booked any more, neither requests nor tokens.
    pub async fn ledger_reads_zero(&self) {
        eventually("the ledger reads zero", async || {
            let loads = self.loads().await;
            loads.iter().all(|load| load.in_flight == 0 && load.waiting_tokens == 0.0).then_some(())
        })
        .await;
    }

    /// The last `limit` decisions, newest first.
    pub async fn decisions(&self, limit: usize) -> Vec<Decision> {
        let document = self.page("admin", &format!("/decisions?limit={limit}")).await.ok().json();
        let decisions = document.as_array().expect("an array of decisions").iter();
        decisions
            .map(|decision| Decision {
                endpoint: decision["endpoint"].as_str().expect("an endpoint").to_owned(),
                reason: decision["reason"].as_str().expect("a reason").to_owned(),
                document: decision.clone(),
            })
            .collect()
    }

    /// The newest decision.
    pub async fn decision(&self) -> Decision {
        self.decisions(1).await.into_iter().next().expect("a decision was made")
    }

    /// Replaces the endpoints file and waits until exactly these endpoints are known.
    pub async fn set_endpoints(&self, entries: &[Entry]) {
        self.write_endpoints(&endpoints_document(entries));
        let mut wanted: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        wanted.sort_unstable();
        let wanted = wanted.join(" ");
        eventually(&format!("the pool is {wanted:?}"), async || {
            let mut names: Vec<String> = self.loads().await.into_iter().map(|load| load.name).collect();
            names.sort_unstable();
            (names.join(" ") == wanted).then_some(())
        })
        .await;
    }

    /// Replaces the endpoints file, whatever `text` says.
    pub fn write_endpoints(&self, text: &str) {
        replace(&self.file("endpoints.yaml"), text);
    }

    /// Replaces the configuration, whatever `text` says.
    pub fn write_config(&self, text: &str) {
        replace(&self.file("config.yaml"), text);
    }

    /// Replaces the configuration by a document of these fields.
    pub fn set_config(&self, fields: &str) {
        self.write_config(&config_document(fields));
    }

    /// A place in the log, to wait from.
    pub fn log_mark(&self) -> usize {
        self.process.mark()
    }

    /// Waits for a warning or an error in the log that comes after `mark`.
    pub async fn complains(&mut self, mark: usize) -> Value {
        let loud = |line: &Value| matches!(line["level"].as_str(), Some("WARN" | "ERROR"));
        self.process.log_line("a warning or an error", mark, loud).await
    }

    /// Its whole log.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Waits for the log line, after `mark`, that `wanted` accepts.
    pub async fn says(&mut self, what: &str, mark: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process.log_line(what, mark, wanted).await
    }

    /// The value of one line of its metrics page; `None` where it is not there.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let page = self.page("metrics", "/metrics").await.ok();
        let page = String::from_utf8_lossy(&page.body).into_owned();
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    /// The value of a count that must be on its metrics page.
    pub async fn count(&self, series: &str) -> u64 {
        self.metric(series).await.unwrap_or_else(|| panic!("{series} is not on the page")) as u64
    }

    /// Memory that it holds at this moment, in MiB.
    pub fn resident_mib(&self) -> f64 {
        self.process.resident_mib()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it in the middle of what it does, as a hang would: its sockets stay open.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its exit status, once it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
