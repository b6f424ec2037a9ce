//! A certificate and its key: made in memory, or read from PEM and checked before it is shown to anybody.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;

use super::leaf::{expires, names};

/// How PEM says that a key is encrypted, today and of old.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// A chain, the server's own certificate first, and the key that fits it.
#[derive(Clone, Debug)]
pub struct Identity(Arc<CertifiedKey>);

/// There is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing of this kind in the PEM.
    #[error("holds no PEM {0}")]
    Missing(Part),
    /// What should be the certificate, or its key, is not PEM.
    #[error("the {part} is not PEM: {why}")]
    NotPem {
        /// Which of the two.
        part: Part,
        /// Why not.
        why: String,
    },
    /// There is nobody who could be asked for a passphrase.
    #[error("an encrypted key is not supported")]
    Encrypted,
    /// The machine has no randomness, or a name is none.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The key is of an unknown kind.
    #[error("cannot use the key")]
    Key(#[source] rustls::Error),
    /// The key does not fit the certificate, or that is of an unknown kind.
    #[error("cannot use the certificate")]
    Use(#[from] rustls::Error),
}

/// One of the two that make an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The chain, the server's own first.
    Certificate,
    /// The private key of the first certificate.
    Key,
}

/// The provider is named rather than installed for the process, which a second crypto library in the tree
/// could spoil.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

// === impl Error ===

impl Error {
    /// Which of the two is to be mended.
    pub fn part(&self) -> Part {
        match self {
            Self::Missing(part) | Self::NotPem { part, .. } => *part,
            Self::Encrypted | Self::Key(_) => Part::Key,
            Self::Make(_) | Self::Use(_) => Part::Certificate,
        }
    }

    fn pem(part: Part, cause: &pem::Error) -> Self {
        let why = match cause {
            pem::Error::NoItemsFound => return Self::Missing(part),
            // These would print as lists of numbers.
            pem::Error::MissingSectionEnd { .. } => "an END line is missing".to_owned(),
            pem::Error::IllegalSectionStart { .. } => "a BEGIN line is broken".to_owned(),
            cause => cause.to_string(),
        };
        Self::NotPem { part, why }
    }
}

// === impl Part ===

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
        })
    }
}

// === impl Identity ===

impl Identity {
    /// A new one for `localhost` and these host names and addresses, of ECDSA P-256, which every gateway's TLS
    /// library knows. Gateways that do not verify the picker accept it, which today is nearly all of them.
    ///
    /// # Errors
    /// A name is not one that [`is_name`](Self::is_name), or the machine has no randomness.
    pub fn self_signed(names: &[String]) -> Result<Self, Error> {
        let names: Vec<String> = ["localhost".to_owned()].into_iter().chain(names.iter().cloned()).collect();
        let made = rcgen::generate_simple_self_signed(names)?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        Self::of(vec![made.cert.der().clone()], key)
    }

    /// The content of `tls.crt` and `tls.key`, as a Kubernetes secret has them.
    ///
    /// # Errors
    /// One of them is not PEM, or they do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Error> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|cause| Error::pem(Part::Certificate, &cause))?;
        if chain.is_empty() {
            return Err(Error::Missing(Part::Certificate));
        }
        let encrypted = ENCRYPTED.iter().any(|mark| key.contains(mark));
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|cause| if encrypted { Error::Encrypted } else { Error::pem(Part::Key, &cause) })?;
        Self::of(chain, key)
    }

    fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        let provider = provider();
        // By itself first: its problems are not the certificate's.
        provider.key_provider.load_private_key(key.clone_key()).map_err(Error::Key)?;
        Ok(Self(Arc::new(CertifiedKey::from_der(chain, key, &provider)?)))
    }

    /// Whether a certificate can be made for this: a host name, one that begins with `*.`, or an IP address.
    pub fn is_name(name: &str) -> bool {
        ServerName::try_from(name.strip_prefix("*.").unwrap_or(name)).is_ok()
    }

    /// When the server's own certificate expires.
    pub fn expires(&self) -> Option<SystemTime> {
        expires(self.0.cert.first()?)
    }

    /// The names that the server's own certificate bears.
    pub fn names(&self) -> Vec<String> {
        self.0.cert.first().map(names).unwrap_or_default()
    }

    pub(super) fn into_key(self) -> Arc<CertifiedKey> {
        self.0
    }
}

#[cfg(test)]
mod tests;
