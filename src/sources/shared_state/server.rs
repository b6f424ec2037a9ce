//! Where the shared state is, and how to log in there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult, TlsCertificates,
    TlsMode,
};

use crate::metrics::SharingFailure;

use super::failure::Failure;
use super::link::Link;

/// Longer does no server of the same zone take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// What the addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One server.
    One,
    /// Nodes of a cluster; those that are not named are found through them.
    Cluster,
    /// Sentinels, which know where the server of this name is.
    Sentinels(String),
}

/// A server, or several that are one.
#[derive(Clone, Debug)]
pub struct Server {
    addresses: Vec<ConnectionInfo>,
    kind: Kind,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

impl Server {
    /// The server at `urls`, none of which was refused by [`address`](Self::address). Its password and who signed its
    /// certificate are read whenever it is connected to, so that new ones are taken.
    ///
    /// # Errors
    /// There is no URL, or more than one for one server.
    pub fn new(
        urls: &[String],
        kind: Kind,
        password_file: Option<PathBuf>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, String> {
        let addresses: Vec<_> = urls.iter().map(|url| Self::address(url)).collect::<Result<_, _>>()?;
        if addresses.is_empty() || (kind == Kind::One && addresses.len() > 1) {
            let say = "several URLs are nodes of a cluster (--shared-state-cluster) or sentinels";
            return Err(format!("{say} (--shared-state-sentinel NAME); one server has one"));
        }
        let server = Self { addresses, kind, password_file, ca_file };
        if server.ca_file.is_some() && !server.is_tls() {
            return Err("who signed a certificate matters only where it is rediss://, for TLS".to_owned());
        }
        Ok(server)
    }

    /// Reads one URL, as in `redis://user@host:6379/0`.
    ///
    /// # Errors
    /// It is none, or names no host.
    pub fn address(url: &str) -> Result<ConnectionInfo, String> {
        let like = "must be redis://[USER@]HOST[:PORT][/DATABASE], or rediss:// for TLS";
        let address = url.into_connection_info().map_err(|_| like.to_owned())?;
        match address.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } if !host.is_empty() => Ok(address),
            _ => Err(like.to_owned()),
        }
    }

    /// Where it is, for people: no user and no password.
    pub fn name(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(|address| address.addr().to_string()).collect();
        addresses.join(", ")
    }

    /// Connects; each answer may take as long as `patience`.
    ///
    /// # Errors
    /// It cannot be reached, or does not let us in.
    pub async fn connect(&self, patience: Duration) -> Result<Link, Failure> {
        let password = self.password_file.as_deref().map(read).transpose()?;
        let password = password.map(|password| password.trim_end_matches(['\r', '\n']).to_owned());
        let ca = self.ca_file.as_deref().map(read).transpose()?.map(String::into_bytes);
        let certificates = TlsCertificates { client_tls: None, root_cert: ca };
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(patience));
        // The client's own limit covers each of its steps; this one all of them.
        let connecting = async {
            match &self.kind {
                Kind::One => {
                    let address = self.addresses.first().cloned().map(|address| with_password(address, password));
                    let address = address.ok_or(Failure::new(SharingFailure::Other, "no address"))?;
                    let client = if is_tls(&address) {
                        Client::build_with_tls(address, certificates)?
                    } else {
                        Client::open(address)?
                    };
                    Ok(Link::One(client.get_multiplexed_async_connection_with_config(&config).await?))
                }
                Kind::Cluster => {
                    let addresses = self.addresses.iter().map(|it| with_password(it.clone(), password.clone()));
                    let builder = ClusterClient::builder(addresses)
                        .connection_timeout(CONNECT)
                        .response_timeout(patience)
                        // Whoever asks tries again, after a while and with what is new.
                        .retries(1);
                    let builder = if self.is_tls() { builder.certs(certificates) } else { builder };
                    Ok(Link::Cluster(builder.build()?.get_async_connection().await?))
                }
                Kind::Sentinels(name) => {
                    let mut client = self.sentinels(name, password, certificates)?;
                    Ok(Link::One(client.get_async_connection_with_config(&config).await?))
                }
            }
        };
        let late = |_| Failure::new(SharingFailure::Timeout, format!("{} does not let us in in time", self.name()));
        // A cluster's first node may be away, and then one of those that it is looked for at.
        tokio::time::timeout(3 * CONNECT, connecting).await.map_err(late)?
    }

    fn is_tls(&self) -> bool {
        self.addresses.iter().all(is_tls)
    }

    /// Sentinels take the password of the URL, the server behind them that of the file.
    fn sentinels(
        &self,
        name: &str,
        password: Option<String>,
        certificates: TlsCertificates,
    ) -> RedisResult<SentinelClient> {
        let addresses = self.addresses.iter().map(|address| address.addr().clone());
        let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?;
        let Some(first) = self.addresses.first() else { return builder.build() };
        let settings = first.redis_settings();
        if is_tls(first) {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_certificates(certificates);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = password {
            builder = builder.set_client_to_redis_password(password);
        }
        builder.set_client_to_redis_db(settings.db()).build()
    }
}

fn is_tls(address: &ConnectionInfo) -> bool {
    matches!(address.addr(), ConnectionAddr::TcpTls { .. })
}

/// The file's password in lieu of the URL's.
fn with_password(address: ConnectionInfo, password: Option<String>) -> ConnectionInfo {
    let Some(password) = password else { return address };
    let settings = address.redis_settings().clone().set_password(password);
    address.set_redis_settings(settings)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::new(SharingFailure::File, format!("{}: {error}", path.display()));
    std::fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_a_wrong_one_says_what_it_must_be() {
        for url in ["redis://a", "rediss://user@a:1/3", "valkey://[::1]:6379", "valkeys://user:word@a"] {
            assert!(Server::address(url).is_ok(), "{url}");
        }
        for url in ["", "a", "a:6379", "http://a", "redis://", "unix:///tmp/a", "redis://a/b", "redis://a:b"] {
            assert!(Server::address(url).is_err_and(|error| error.contains("redis://[USER@]HOST")), "{url}");
        }
    }

    #[test]
    fn one_server_has_one_url() {
        let server = |urls: &[&str], kind| {
            let urls: Vec<_> = urls.iter().map(|url| url.to_string()).collect();
            Server::new(&urls, kind, None, None).map(|server| server.name())
        };
        assert_eq!(server(&["redis://user:word@a"], Kind::One).as_deref(), Ok("a:6379"));
        assert_eq!(server(&["redis://a", "redis://b:1"], Kind::Cluster).as_deref(), Ok("a:6379, b:1"));
        assert!(server(&["redis://a", "redis://b"], Kind::One).is_err_and(|it| it.contains("--shared-state-cluster")));
        assert!(server(&[], Kind::Cluster).is_err());
        let signed = |url: &str| Server::new(&[url.to_owned()], Kind::One, None, Some("ca.pem".into()));
        assert!(signed("rediss://a").is_ok() && signed("redis://a").is_err_and(|it| it.contains("rediss://")));
    }
}
