//! A handshake as most gateways make it: nobody is verified, and what is shown is looked at.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::identity::provider;
use super::leaf;

/// A connection that a gateway could use, and what the server showed on the way.
#[derive(Debug)]
pub struct Shaken {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// The server's own certificate.
    pub certificate: Shown,
    /// Whether both sides agreed on HTTP/2.
    pub http2: bool,
}

/// A server's own certificate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// When it expires, if it says so.
    pub expires: Option<std::time::SystemTime>,
    /// The host names and addresses that it bears.
    pub names: Vec<String>,
    /// Whether it is for the host that was connected to.
    pub fits: bool,
}

/// Takes any certificate, but no server without its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

/// Shakes hands with the server of `host` on a connection that is open.
///
/// # Errors
/// The other side does not speak TLS, or not with us.
pub async fn shake(tcp: TcpStream, host: &str) -> io::Result<Shaken> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    // Pickers take any name.
    let name = ServerName::try_from(host.to_owned()).or_else(|_| ServerName::try_from("localhost"));
    let stream = TlsConnector::from(Arc::new(config)).connect(name.map_err(io::Error::other)?, tcp).await?;
    let session = stream.get_ref().1;
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = shown.map_or_else(Shown::default, |shown| Shown {
        expires: leaf::expires(shown),
        names: leaf::names(shown),
        fits: leaf::is_for(shown, host),
    });
    let http2 = session.alpn_protocol() == Some(b"h2");
    Ok(Shaken { stream, certificate, http2 })
}

// === impl Anybody ===

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
