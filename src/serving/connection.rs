//! A connection of the data side: plain or TLS, counted while it lives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::gather::Gather;
use super::load::Hold;

/// What tonic reads and writes.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    _hold: Hold,
}

/// The two ways in.
#[derive(Debug)]
pub enum Transport {
    /// Plaintext HTTP/2, as behind a mesh.
    Plain(Gather<TcpStream>),
    /// TLS, its handshake done. Boxed: it is twenty times the size.
    Tls(Box<Gather<TlsStream<TcpStream>>>),
}

// === impl Connection ===

impl Connection {
    pub fn new(transport: Transport, hold: Hold) -> Self {
        Self { transport, _hold: hold }
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        match &self.transport {
            Transport::Plain(tcp) => tcp.get_ref().connect_info(),
            Transport::Tls(tls) => tls.get_ref().get_ref().0.connect_info(),
        }
    }
}

/// Calls one method on whichever transport it is.
macro_rules! delegate {
    ($self:ident, $io:ident => $call:expr) => {
        match &mut $self.get_mut().transport {
            Transport::Plain(tcp) => {
                let $io = Pin::new(tcp);
                $call
            }
            Transport::Tls(tls) => {
                let $io = Pin::new(tls.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, io => io.poll_write(cx, buf))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(tcp) => tcp.is_write_vectored(),
            Transport::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, io => io.poll_shutdown(cx))
    }
}
