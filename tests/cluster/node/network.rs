//! A pod's network: a namespace of its own, a wire into it, and an address that no other pod ever has.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::inside::PODS;

/// This side of all wires.
pub const HOST: Ipv4Addr = Ipv4Addr::new(PODS[0], PODS[1], 0, 1);

const ADD: &str = r#"
set -e
ip netns add "$name"
ip link add "$wire" type veth peer name eth0 netns "$name"
ip -batch - <<BATCH
address add $host/32 dev $wire
link set $wire up
route add $address dev $wire
BATCH
ip -n "$name" -batch - <<BATCH
link set lo up
address add $address/32 dev eth0
link set eth0 up
route add $host dev eth0
route add default via $host
BATCH
"#;

const REMOVE: &str = r#"ip link del "$wire"; ip netns del "$name""#;

/// One pod's network; dropping it takes the wire away.
pub struct Network {
    pub address: Ipv4Addr,
}

impl Network {
    /// Makes one, with the next free address.
    pub async fn add() -> Result<Self, String> {
        static NEXT: AtomicU16 = AtomicU16::new(256);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let [a, b] = PODS;
        let network = Self { address: Ipv4Addr::new(a, b, high, low) };
        let output =
            tokio::process::Command::from(network.shell(ADD)).output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(network);
        }
        Err(format!("no network for a pod: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// What `nsenter --net` takes.
    pub fn path(&self) -> String {
        format!("/run/netns/{}", self.name())
    }

    /// Connects to `address` as a process of the pod would; how tests reach what listens on its loopback address.
    pub fn dial(&self, address: SocketAddr) -> io::Result<std::net::TcpStream> {
        let namespace = File::open(self.path())?;
        // A thread enters and ends there; the connection stays in the namespace, whoever holds it.
        let dialling = thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            std::net::TcpStream::connect(address)
        });
        dialling.join().expect("nothing panics there")
    }

    fn name(&self) -> String {
        let [.., high, low] = self.address.octets();
        format!("pod-{high}-{low}")
    }

    fn shell(&self, script: &str) -> Command {
        let [.., high, low] = self.address.octets();
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env("name", self.name()).env("wire", format!("wire-{high}-{low}"));
        shell.env("address", self.address.to_string()).env("host", HOST.to_string());
        shell
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _gone_anyway = self.shell(REMOVE).output();
    }
}
