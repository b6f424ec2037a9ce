//! What replicas share, and where: the flags of `serve` and `doctor`.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::ByteSize;
use crate::sources::shared_state::{Kind, Server};

/// The flags that say so.
#[derive(Clone, Debug, clap::Args)]
pub struct SharedStateArgs {
    /// A Valkey or Redis through which the replicas of this picker share what they know, as in
    /// redis://USER@HOST:PORT/DATABASE of which only the host is required, or rediss:// for TLS. May be repeated, for the
    /// nodes of a cluster or for sentinels. Without it each replica knows only its own requests.
    #[arg(long = "shared-state", value_name = "URL", value_parser = url)]
    urls: Vec<String>,

    /// The file of the password for it; read at each connecting, so that a new one is taken.
    #[arg(long = "shared-state-password-file", value_name = "FILE", requires = "urls")]
    password_file: Option<PathBuf>,

    /// The file of the certificates, as PEM, of who signed its certificate [default: those that the system trusts].
    #[arg(long = "shared-state-ca-file", value_name = "FILE", requires = "urls")]
    ca_file: Option<PathBuf>,

    /// The URLs are nodes of a cluster.
    #[arg(long = "shared-state-cluster", requires = "urls", conflicts_with = "sentinel")]
    cluster: bool,

    /// The URLs are sentinels, which know where the primary of this name is. A password in their URL is theirs, the one
    /// of the file the primary's.
    #[arg(long = "shared-state-sentinel", value_name = "NAME", requires = "urls")]
    sentinel: Option<String>,

    /// What the replicas of this picker have in common, and those of no other [default: the uid of the InferencePool].
    /// Required to share the state of endpoints that come from elsewhere.
    #[arg(long, value_name = "NAME")]
    state_group: Option<String>,
}

/// How `serve` shares; `doctor` need not know.
#[derive(Clone, Debug, clap::Args)]
pub struct SharingArgs {
    /// How often what is new is told to the other replicas, if anything is.
    #[arg(long = "shared-state-interval", value_name = "DURATION", default_value = "50ms", value_parser = interval)]
    pub interval: Duration,

    /// What the log of all that was told may take in the shared state: how far back a replica looks that joins.
    #[arg(long = "shared-state-log", value_name = "BYTES", default_value = "32MiB", value_parser = log_bytes)]
    pub log: ByteSize,

    /// How long a replica that joins reads the log at most before it is ready.
    #[arg(long = "shared-state-warm-up", value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub warm_up: Duration,
}

impl SharedStateArgs {
    /// The server, if state is shared; `is_pool` says whether the endpoints are those of an InferencePool.
    ///
    /// # Errors
    /// The flags contradict each other, or do not say with whom to share.
    pub fn server(&self, is_pool: bool) -> anyhow::Result<Option<Server>> {
        if self.urls.is_empty() {
            return Ok(None);
        }
        if !is_pool && self.state_group.is_none() {
            anyhow::bail!(
                "--shared-state needs --state-group NAME where the endpoints are not those of an InferencePool: \
                 the same name for all replicas of this picker, and another for any other"
            );
        }
        let kind = match &self.sentinel {
            Some(name) => Kind::Sentinels(name.clone()),
            None if self.cluster => Kind::Cluster,
            None => Kind::One,
        };
        let server = Server::new(&self.urls, kind, self.password_file.clone(), self.ca_file.clone());
        server.map(Some).map_err(|error| anyhow::anyhow!("--shared-state: {error}"))
    }

    /// The name of the replicas' group, if it is given.
    pub fn group(&self) -> Option<&str> {
        self.state_group.as_deref()
    }
}

fn url(text: &str) -> Result<String, String> {
    Server::address(text).map(|_| text.to_owned())
}

/// A second is two heartbeats: more would make replicas believe each other gone.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let (least, most) = (Duration::from_millis(5), Duration::from_millis(500));
    (least..=most).contains(&interval).then_some(interval).ok_or_else(|| "must be 5ms to 500ms".to_owned())
}

fn log_bytes(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error| format!("{error}"))?;
    (size >= ByteSize(1 << 20)).then_some(size).ok_or_else(|| "must be at least 1MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        shared: SharedStateArgs,
        #[command(flatten)]
        sharing: SharingArgs,
    }

    fn server(line: &str) -> Result<Option<String>, String> {
        let line = Line::try_parse_from(["homing"].into_iter().chain(line.split_whitespace()));
        let line = line.map_err(|error| error.to_string())?;
        let server = line.shared.server(false).map_err(|error| error.to_string())?;
        Ok(server.map(|server| server.name()))
    }

    #[test]
    fn nothing_is_shared_unless_it_is_said_where() {
        assert_eq!(server(""), Ok(None));
        assert_eq!(server("--shared-state redis://a --state-group g"), Ok(Some("a:6379".to_owned())));
        let nodes = "--shared-state redis://a --shared-state redis://b --state-group g";
        assert_eq!(server(&format!("{nodes} --shared-state-cluster")), Ok(Some("a:6379, b:6379".to_owned())));
        assert!(server(&format!("{nodes} --shared-state-sentinel main")).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_do() {
        for (line, says) in [
            ("--shared-state redis://a", "--state-group"),
            ("--shared-state a:6379 --state-group g", "redis://[USER@]HOST"),
            ("--shared-state redis://a --shared-state redis://b --state-group g", "--shared-state-cluster"),
            ("--shared-state-password-file f", "--shared-state <URL>"),
            ("--shared-state redis://a --shared-state-cluster --shared-state-sentinel m", "cannot be used with"),
            ("--shared-state-interval 2s", "5ms to 500ms"),
            ("--shared-state-log 5KB", "at least 1MiB"),
        ] {
            let said = server(line).expect_err(line);
            assert!(said.contains(says), "{line}: {said}");
        }
    }
}
