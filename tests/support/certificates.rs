//! Certificates of a test, a folder that a secret is mounted on, and a TLS client that looks at what it is shown.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::wait::within;

/// A certificate for `localhost` and its key.
pub struct Pair {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

/// A folder of `tls.crt` and `tls.key`, which are links into a folder that is swapped as a whole.
pub struct Secret {
    folder: TempDir,
    version: u32,
}

/// Takes any certificate, but not a server that does not have its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

// === impl Pair ===

impl Pair {
    /// A new one, valid to the first day of `year`.
    pub fn until(year: i32) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let made = parameters.self_signed(&key).expect("a certificate");
        Self { certificate: made.pem(), key: key.serialize_pem(), der: made.der().clone() }
    }
}

// === impl Secret ===

impl Secret {
    pub fn mount(pair: &Pair) -> Self {
        let mut secret = Self { folder: TempDir::new().expect("a folder for temporary files"), version: 0 };
        secret.update(&pair.certificate, &pair.key);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), secret.path().join(name)).expect("the folder takes links");
        }
        secret
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts both files in place at once, as the kubelet does.
    pub fn update(&mut self, certificate: &str, key: &str) {
        self.version += 1;
        let version = format!("..version_{}", self.version);
        let folder: PathBuf = self.path().join(&version);
        fs::create_dir(&folder).expect("the folder takes folders");
        fs::write(folder.join("tls.crt"), certificate).expect("the folder takes files");
        fs::write(folder.join("tls.key"), key).expect("the folder takes files");
        symlink(&version, self.path().join("..data_tmp")).expect("the folder takes links");
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).expect("a link can be replaced");
    }
}

/// The certificate that a new connection is shown.
pub async fn shown(address: SocketAddr) -> CertificateDer<'static> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = client(&provider).dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    connect(address, config.with_no_client_auth(), "localhost").await.expect("anybody is taken")
}

/// Whether a client that trusts `root` and nobody else takes the server for `name`.
pub async fn trusted(address: SocketAddr, root: &CertificateDer<'static>, name: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a certificate");
    let config = client(&Arc::new(rustls::crypto::ring::default_provider())).with_root_certificates(roots);
    connect(address, config.with_no_client_auth(), name).await.is_some()
}

fn client(provider: &Arc<CryptoProvider>) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let config = ClientConfig::builder_with_provider(Arc::clone(provider));
    config.with_safe_default_protocol_versions().expect("the provider knows them")
}

async fn connect(address: SocketAddr, config: ClientConfig, name: &str) -> Option<CertificateDer<'static>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connected = within("a TLS handshake", async {
        let socket = TcpStream::connect(address).await.expect("the port accepts");
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    });
    let stream = connected.await.ok()?;
    let shown = stream.get_ref().1.peer_certificates().expect("a certificate is shown");
    Some(shown[0].clone())
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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
