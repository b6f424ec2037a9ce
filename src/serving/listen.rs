//! Listening sockets. [`bind`] opens one, for `cli::serve` and `cli::engine`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// How long to wait before accepting again when the process is out of file descriptors or memory:
/// long enough not to spin, short enough that nobody's connection attempt times out.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// A port that the command line names.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// What it is called in logs: `grpc`, `health`, `metrics`, `admin`, `http`.
    pub name: &'static str,
    /// The flag that sets it, as `--grpc-port`; named when it cannot be opened.
    pub flag: &'static str,
    /// The number; 0 lets the system choose.
    pub number: u16,
}

/// A port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {name}; {flag} chooses another port, 0 any free one", name = port.name, flag = port.flag)]
pub struct BindError {
    /// Which port.
    pub port: Port,
    /// The address that was tried last.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// Opens a port and logs where it listens.
///
/// Without an address it takes `[::]`, which serves IPv4 as well, and `0.0.0.0` where the machine has
/// no IPv6.
///
/// # Errors
/// The port is taken, or the address is not one of this machine's.
pub async fn bind(address: Option<IpAddr>, port: Port) -> Result<TcpListener, BindError> {
    let listener = match address {
        Some(address) => open(address, port).await,
        None => match open(Ipv6Addr::UNSPECIFIED.into(), port).await {
            Err(error) if lacks_ipv6(&error.source) => open(Ipv4Addr::UNSPECIFIED.into(), port).await,
            opened => opened,
        },
    }?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(port_name = port.name, %address, "listening");
    }
    Ok(listener)
}

/// The next connection, with small writes sent at once.
///
/// Errors that concern one connection only are passed over; when descriptors run out it waits and
/// tries again, because connections that end give them back.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                if let Err(error) = connection.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                return connection;
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

async fn open(address: IpAddr, port: Port) -> Result<TcpListener, BindError> {
    let address = SocketAddr::new(address, port.number);
    TcpListener::bind(address).await.map_err(|source| BindError { port, address, source })
}

/// Anything but a port that is taken or forbidden: those are as taken on IPv4.
fn lacks_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRPC: Port = Port { name: "grpc", flag: "--grpc-port", number: 0 };

    #[tokio::test]
    async fn without_an_address_it_is_reached_over_ipv4() {
        let listener = bind(None, GRPC).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (client, served) = tokio::join!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)), accept(&listener));
        client.unwrap();
        assert!(served.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_flag() {
        let first = bind(Some(Ipv4Addr::LOCALHOST.into()), GRPC).await.unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind(Some(taken.ip()), Port { number: taken.port(), ..GRPC }).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen on {taken} for grpc; --grpc-port ")), "{text}");
    }
}
