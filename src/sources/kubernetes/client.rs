//! The way to the API server.

use std::time::Duration;

use kube::config::{Config, InferConfigError};

use super::trouble::innermost;

/// The API server is in the same cluster: one that does not accept within this is gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which nothing comes for so long is dead. Longer than [`WATCH_SECONDS`](super::watch::WATCH_SECONDS).
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// An API server, and the namespace in which we look.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: kube::Client,
    namespace: String,
    server: String,
}

/// There is no way to an API server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor the files of a pod's ServiceAccount are there.
    #[error("no API server is known: run in a pod with a ServiceAccount token, or set KUBECONFIG ({})", innermost(.0))]
    Unknown(InferConfigError),
    /// What they say cannot be used.
    #[error("the API server's address or certificates cannot be used: {0}")]
    Unusable(#[from] kube::Error),
}

impl Cluster {
    /// The cluster of `KUBECONFIG` or of the pod that we run in; `namespace` is the pod's own unless it is given.
    ///
    /// Connects to nothing yet: an API server that is away now may be there later.
    ///
    /// # Errors
    /// Nothing says where the API server is.
    pub async fn infer(namespace: Option<String>) -> Result<Self, ConnectError> {
        Self::infer_as(namespace, None).await
    }

    /// The same, asking everything in the name of `user`, where one is named and the API server allows it.
    ///
    /// # Errors
    /// Nothing says where the API server is.
    pub async fn infer_as(namespace: Option<String>, user: Option<String>) -> Result<Self, ConnectError> {
        let mut config = Config::infer().await.map_err(ConnectError::Unknown)?;
        if user.is_some() {
            config.auth_info.impersonate = user;
        }
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        // A watch has its own way to wait and try again, and says that it does.
        config.default_retry = false;
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        Ok(Self { client: kube::Client::try_from(config)?, namespace, server })
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        self.server.trim_end_matches('/')
    }

    /// Where the pool, its pods and the ConfigMap are.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}
