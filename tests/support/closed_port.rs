//! A port that is closed and stays so, as of an engine or a picker that is not there.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// Whoever connects is refused, and nobody else gets the port by chance while this lives; who asks for it by its number
/// may have it.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// Takes a free one.
    pub fn keep() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a socket takes options");
        // Bound, and never listening.
        socket.bind(([127, 0, 0, 1], 0).into()).expect("loopback has free ports");
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket has an address")
    }
}
