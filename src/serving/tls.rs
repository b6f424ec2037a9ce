//! TLS of the gRPC port: one certificate in force at a time, which can be replaced while connections live on.
//!
//! [`Presented`] holds it, [`acceptor`] accepts connections with it; `cli::serve` replaces it when its files change. [`shake`] is the other side of it, for `homing doctor`.

mod client;
mod identity;
mod leaf;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use client::{Shaken, Shown, shake};
pub use identity::{Error, Identity, Part};

/// A client that takes longer than this for its handshake is hung or hostile.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What new connections are shown. Those that are open keep what they were shown.
#[derive(Debug)]
pub struct Presented(ArcSwap<CertifiedKey>);

// === impl Presented ===

impl Presented {
    /// Shows this until it is replaced.
    pub fn new(identity: Identity) -> Self {
        Self(ArcSwap::from(identity.into_key()))
    }

    /// Shows this from the next handshake on.
    pub fn replace(&self, identity: Identity) {
        self.0.store(identity.into_key());
    }
}

impl ResolvesServerCert for Presented {
    /// The same for every name: gateways may send any, or none.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Accepts TLS 1.2 and 1.3 without a client certificate. ALPN offers `h2` and takes a client that sends
/// none: Envoy's health checks do not.
///
/// # Errors
/// The crypto library lacks what these versions need, which ours does not.
pub fn acceptor(presented: Arc<Presented>) -> Result<TlsAcceptor, Error> {
    let mut config = ServerConfig::builder_with_provider(identity::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(presented);
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A session that is resumed is not shown the certificate again: after a change it would go on with the old one
    // for as long as its client likes. Gateways connect rarely, so a whole handshake each time costs nothing.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The handshake of one connection; none if it fails or takes too long.
pub(super) async fn handshake(acceptor: &TlsAcceptor, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp)).await {
        Ok(Ok(stream)) => Some(stream),
        // Probes open a connection and close it again.
        Ok(Err(error)) if error.kind() != io::ErrorKind::InvalidData => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Ok(Err(error)) => {
            // The commonest mistake of an installation: one side speaks TLS, the other does not.
            tracing::warn!(%error, "a TLS handshake failed; does the gateway speak TLS to the picker (--secure-serving)?");
            None
        }
        Err(_) => {
            tracing::debug!("TLS handshake took too long");
            None
        }
    }
}
