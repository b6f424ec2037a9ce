//! Why the shared state cannot be reached, in the words of metrics and logs.

use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::metrics::SharingFailure;

/// One failure: which kind, and what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind, as metrics count it.
    pub kind: SharingFailure,
    message: String,
}

impl Failure {
    /// One that no server has spoken of.
    pub fn new(kind: SharingFailure, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.kind.hint() {
            "" => Ok(()),
            hint => write!(f, " ({hint})"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self { kind: kind(&error), message: error.to_string() }
    }
}

fn kind(error: &RedisError) -> SharingFailure {
    match error.code() {
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => return SharingFailure::Login,
        Some("OOM") => return SharingFailure::OutOfMemory,
        Some("WRONGTYPE") => return SharingFailure::WrongType,
        Some("MISCONF" | "NOREPLICAS") => return SharingFailure::ReadOnly,
        _ => {}
    }
    match error.kind() {
        _ if error.is_timeout() => SharingFailure::Timeout,
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => SharingFailure::Login,
        ErrorKind::Server(ServerErrorKind::ReadOnly) => SharingFailure::ReadOnly,
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::TryAgain,
        ) => SharingFailure::NotReady,
        ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => SharingFailure::Unreachable,
        _ => SharingFailure::Other,
    }
}
