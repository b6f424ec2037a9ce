//! A real Valkey, on an address of its own, so that it can be restarted there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use redis::{Client, Cmd, FromRedisValue, RedisResult};
use tempfile::TempDir;

use super::parts;
use super::process::Process;
use super::wait::eventually;

/// A running Valkey; dropping it kills it.
pub struct Valkey {
    process: Process,
    address: SocketAddr,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Valkey {
    /// Starts it with more `arguments`, and waits until it answers.
    pub async fn start(arguments: &[&str]) -> Self {
        let address = own_address();
        let folder = TempDir::new().expect("a folder for temporary files");
        let arguments: Vec<_> = arguments.iter().map(|it| it.to_string()).collect();
        let process = spawn(address, &arguments, &folder);
        let mut valkey = Self { process, address, arguments, folder };
        valkey.answers().await;
        valkey
    }

    /// A sentinel that watches this server, and gives it up soon.
    pub async fn sentinel(primary: SocketAddr, name: &str) -> Self {
        let (address, folder) = (own_address(), TempDir::new().expect("a folder for temporary files"));
        let config = folder.path().join("sentinel.conf");
        let lines = [
            format!("bind {}\nport {}\ndir {}", address.ip(), address.port(), folder.path().display()),
            format!("sentinel monitor {name} {} {} 1", primary.ip(), primary.port()),
            format!("sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000"),
            "protected-mode no\n".to_owned(),
        ];
        std::fs::write(&config, lines.join("\n")).expect("the folder takes files");
        let mut command = Command::new(parts::valkey());
        command.arg(&config).arg("--sentinel");
        let process = Process::spawn("sentinel", command);
        let mut sentinel = Self { process, address, arguments: Vec::new(), folder };
        sentinel.answers().await;
        sentinel
    }

    /// As `--shared-state` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was, empty.
    pub async fn restart(&mut self) {
        self.process = spawn(self.address, &self.arguments, &self.folder);
        self.answers().await;
    }

    /// It hangs from now on.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Sends it one command, words and all, and panics if it refuses.
    pub async fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        let mut words = Cmd::new();
        command.split(' ').for_each(|word| _ = words.arg(word));
        self.send(&words).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Sends it one command.
    pub async fn send<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut link = Client::open(self.url())?.get_multiplexed_async_connection().await?;
        command.query_async(&mut link).await
    }

    /// CPU seconds that it has used.
    pub async fn cpu(&self) -> f64 {
        let info: redis::InfoDict = self.ask("INFO cpu").await;
        ["used_cpu_user", "used_cpu_sys"].iter().filter_map(|name| info.get::<f64>(name)).sum()
    }

    async fn answers(&mut self) {
        let address = self.address;
        eventually("Valkey answers", async || {
            assert!(self.process.is_running(), "Valkey ended: {}", self.process.output());
            // Whether it lets us in or not.
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
    }
}

fn spawn(address: SocketAddr, arguments: &[String], folder: &TempDir) -> Process {
    let mut command = Command::new(parts::valkey());
    command.arg("--bind").arg(address.ip().to_string()).arg("--port").arg(address.port().to_string());
    command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no"]);
    // Otherwise it names itself by the address from which it connects to its primary.
    command.arg("--replica-announce-ip").arg(address.ip().to_string());
    command.arg("--dir").arg(folder.path()).args(arguments);
    Process::spawn("valkey", command)
}

/// A loopback address that only this process uses, and a port that is free there: nobody takes it in between.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Relaxed).max(1));
    let listener = TcpListener::bind((ip, 0)).expect("a loopback address");
    listener.local_addr().expect("bound")
}
