//! TLS of the gRPC port: a certificate made in memory, or one from files. [`acceptor`] is the one entry.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A client that takes longer than this for its handshake is hung or hostile.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// Made at start and kept in memory, for these host names and addresses beside `localhost`. Gateways
    /// that do not verify the picker accept it, which today is nearly all of them.
    SelfSigned(Vec<String>),
    /// `tls.crt` and `tls.key` in this folder, as a Kubernetes secret is mounted.
    Folder(PathBuf),
}

/// TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is missing, or is not PEM.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// A name is none, or the machine has no randomness.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The key does not fit the certificate, or its kind is unknown.
    #[error("cannot use the certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// A chain, the server's own certificate first, and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Accepts TLS 1.2 and 1.3 without a client certificate. ALPN offers `h2` and takes a client that sends
/// none: Envoy's health checks do not.
///
/// # Errors
/// The certificate cannot be made, read or used.
pub fn acceptor(certificate: &Certificate) -> Result<TlsAcceptor, Error> {
    let (chain, key) = match certificate {
        Certificate::SelfSigned(names) => self_signed(names)?,
        Certificate::Folder(folder) => load(folder)?,
    };
    // The provider is named here rather than installed for the process, which a second crypto library in
    // the tree could spoil.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
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

/// ECDSA P-256, which every gateway's TLS library knows.
fn self_signed(names: &[String]) -> Result<Identity, Error> {
    let names: Vec<String> = ["localhost".to_owned()].into_iter().chain(names.iter().cloned()).collect();
    let made = rcgen::generate_simple_self_signed(names)?;
    Ok((vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into())))
}

fn load(folder: &Path) -> Result<Identity, Error> {
    let path = folder.join("tls.crt");
    let chain = CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| Error::Read { path, source })?;
    let path = folder.join("tls.key");
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|source| Error::Read { path, source })?;
    Ok((chain, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_in_memory_bears_the_given_names() {
        let (chain, _) = self_signed(&["picker.example".to_owned(), "10.1.2.3".to_owned()]).unwrap();
        let contains = |needle: &[u8]| chain[0].windows(needle.len()).any(|window| window == needle);
        assert!(contains(b"localhost") && contains(b"picker.example"));
        assert!(contains(&[0x87, 4, 10, 1, 2, 3]), "an address is an address, not a name");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = acceptor(&Certificate::Folder(folder.path().to_owned())).err().unwrap();
        assert!(missing.to_string().contains("tls.crt"), "{missing}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let one = rcgen::generate_simple_self_signed(["one".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap();
        std::fs::write(folder.path().join("tls.crt"), one.cert.pem()).unwrap();
        std::fs::write(folder.path().join("tls.key"), other.signing_key.serialize_pem()).unwrap();
        let certificate = Certificate::Folder(folder.path().to_owned());
        assert!(matches!(acceptor(&certificate), Err(Error::Use(_))));
        std::fs::write(folder.path().join("tls.key"), one.signing_key.serialize_pem()).unwrap();
        assert!(acceptor(&certificate).is_ok());
    }
}
