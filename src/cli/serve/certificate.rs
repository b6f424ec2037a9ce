//! The certificate of the gRPC port: made at start, or from files that are followed.
//!
//! [`acceptor`] is the one entry.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio_rustls::TlsAcceptor;

use super::vital::Vital;
use crate::metrics::{Metrics, Taken};
use crate::serving::tls::{self, Identity, Part, Presented};
use crate::sources::watch::FileWatch;

/// How long the second file of a pair may come after the first, where they are not replaced in one step.
const OTHER_HALF: Duration = Duration::from_secs(2);

/// A certificate and its key in a folder, as a Kubernetes secret is mounted.
struct Pair {
    certificate: Half,
    key: Half,
}

/// One of the two files.
struct Half {
    watch: FileWatch,
    text: io::Result<String>,
}

/// Accepts TLS with the pair in `folder`, whatever that is at the time; without a folder, with a certificate made
/// now for `names`. To be called within a tokio runtime, which then follows the files.
///
/// # Errors
/// The pair is not there, or it is none. Later that only keeps the one before in force.
pub async fn acceptor(
    folder: Option<&Path>,
    names: &[String],
    metrics: &Arc<Metrics>,
    vital: &Vital,
) -> anyhow::Result<TlsAcceptor> {
    let Some(folder) = folder else {
        let identity = Identity::self_signed(names)?;
        show_expiry(&identity, metrics);
        return Ok(tls::acceptor(Arc::new(Presented::new(identity)))?);
    };
    let pair = Pair::open(folder).await;
    let identity = pair.identity().with_context(|| format!("--cert-path {}", folder.display()))?;
    metrics.certificate_reloads.of(Taken::Good).inc();
    show_expiry(&identity, metrics);
    let presented = Arc::new(Presented::new(identity));
    vital.spawn("the certificate", follow(pair, Arc::clone(&presented), Arc::clone(metrics)));
    Ok(tls::acceptor(presented)?)
}

async fn follow(mut pair: Pair, presented: Arc<Presented>, metrics: Arc<Metrics>) -> Infallible {
    loop {
        pair.changed().await;
        let mut read = pair.identity();
        if read.is_err() && tokio::time::timeout(OTHER_HALF, pair.changed()).await.is_ok() {
            read = pair.identity();
        }
        match read {
            Ok(identity) => {
                metrics.certificate_reloads.of(Taken::Good).inc();
                show_expiry(&identity, &metrics);
                presented.replace(identity);
            }
            Err(error) => {
                metrics.certificate_reloads.of(Taken::Bad).inc();
                tracing::warn!("{error:#}; the certificate before stays in force");
            }
        }
    }
}

fn show_expiry(identity: &Identity, metrics: &Metrics) {
    let Some(expires) = identity.expires() else {
        tracing::warn!("a certificate is in force that does not say until when it is valid");
        metrics.certificate_expiry.clear();
        return;
    };
    let at = humantime::format_rfc3339_seconds(expires);
    tracing::info!(expires = %at, "certificate in force");
    if expires <= SystemTime::now() {
        tracing::warn!(expired = %at, "the certificate in force has expired");
    }
    let unix = expires.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    metrics.certificate_expiry.get_or_create(&[]).set(i64::try_from(unix).unwrap_or(i64::MAX));
}

// === impl Pair ===

impl Pair {
    async fn open(folder: &Path) -> Self {
        Self { certificate: Half::open(&folder.join("tls.crt")).await, key: Half::open(&folder.join("tls.key")).await }
    }

    /// Waits until one of the files is another.
    async fn changed(&mut self) {
        tokio::select! {
            text = self.certificate.watch.changed() => self.certificate.text = text,
            text = self.key.watch.changed() => self.key.text = text,
        }
    }

    fn identity(&self) -> anyhow::Result<Identity> {
        let (certificate, key) = (self.certificate.text()?, self.key.text()?);
        Identity::from_pem(certificate, key).map_err(|error| {
            let half = if error.part() == Part::Key { &self.key } else { &self.certificate };
            anyhow::Error::new(error).context(half.watch.path().display().to_string())
        })
    }
}

// === impl Half ===

impl Half {
    async fn open(path: &Path) -> Self {
        let mut watch = FileWatch::new(path);
        let text = watch.changed().await;
        Self { watch, text }
    }

    fn text(&self) -> anyhow::Result<&str> {
        self.text.as_deref().map_err(|error| {
            let path = self.watch.path().display();
            match error.kind() {
                io::ErrorKind::InvalidData => anyhow::anyhow!("{path}: is not PEM (is it DER?)"),
                _ => anyhow::anyhow!("{path}: {error}"),
            }
        })
    }
}
