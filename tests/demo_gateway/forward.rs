//! Forwarders: how clients outside of the cluster reach what is in it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};

use crate::node::{Cluster, Placed};

/// Connections of one forwarder at a time; the next wait.
const CONNECTIONS: usize = 256;

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
    tokio::spawn(forward(UnixListenerStream::new(listener), target));
    Ok(())
}

/// Forwards from a port; its address.
///
/// # Errors
/// There is no port.
pub async fn from_port(target: Target) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(forward(TcpListenerStream::new(listener), target));
    Ok(address)
}

async fn forward<S>(mut connections: impl Stream<Item = io::Result<S>> + Unpin, target: Target)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    while let Some(connection) = connections.next().await {
        let (Ok(mut here), Ok(permit)) = (connection, Arc::clone(&free).acquire_owned().await) else { continue };
        let target = target.clone();
        tokio::spawn(async move {
            // Whoever breaks off is told by the end of the connection.
            if let Ok(mut there) = target.connect().await {
                let _ended = copy_bidirectional(&mut here, &mut there).await;
            }
            drop(permit);
        });
    }
}

// === impl Target ===

impl Target {
    async fn connect(&self) -> io::Result<TcpStream> {
        match self {
            Self::Address(address) => TcpStream::connect(address).await,
            Self::Pod(cluster, pod, port) => Ok(cluster.dial(&cluster.namespace, &pod.name, *port)),
        }
    }
}
