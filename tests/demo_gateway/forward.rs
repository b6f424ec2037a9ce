//! Forwarders: how clients outside of the cluster reach what is in it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};

use crate::node::{Cluster, Placed};
use crate::support::forward::forward;

/// Where a forwarder leads.
#[derive(Clone)]
pub enum Target {
    Address(SocketAddr),
    /// A port of a pod's own loopback address.
    Pod(&'static Cluster, Placed, u16),
}

/// Forwards from a socket at `path`.
///
/// # Errors
/// The socket cannot be made.
pub fn from_socket(path: &Path, target: Target) -> anyhow::Result<()> {
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen at {}", path.display()))?;
    tokio::spawn(forward(UnixListenerStream::new(listener), move || target.clone().connect()));
    Ok(())
}

/// Forwards from a port; its address.
///
/// # Errors
/// There is no port.
pub async fn from_port(target: Target) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(forward(TcpListenerStream::new(listener), move || target.clone().connect()));
    Ok(address)
}

// === impl Target ===

impl Target {
    async fn connect(self) -> io::Result<TcpStream> {
        match self {
            Self::Address(address) => TcpStream::connect(address).await,
            Self::Pod(cluster, pod, port) => Ok(cluster.dial(&cluster.namespace, &pod.name, port)),
        }
    }
}
