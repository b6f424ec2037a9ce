//! Why a watch fails, in the words that an operator needs.

use std::error::Error;
use std::fmt;

use kube::Error as ApiError;
use kube::runtime::watcher;

/// Why a watch fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no connection.
    Unreachable,
    /// The credentials are not accepted.
    Unauthorized,
    /// The Role lacks a permission.
    Forbidden,
    /// The API server does not know the kind: its definition is not installed.
    UnknownKind,
    /// Anything else; the log says what.
    Failing,
}

/// A watch that breaks so often in a row, without a word between, is in trouble. Once or twice is usual: API servers
/// restart.
const BREAKS: u32 = 3;

/// How a watch goes on after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Where it was.
    Resume,
    /// With a list of all: where it was is not known any more, or not yet.
    List,
    /// The same, and it is in [`Trouble`].
    Trouble,
}

impl Course {
    /// After this error, which is the so many-th in a row, counted from 1.
    pub(super) fn after(error: &watcher::Error, failures: u32) -> Self {
        let (broke, code) = match error {
            watcher::Error::WatchStartFailed(ApiError::Api(status)) => (false, Some(status.code)),
            watcher::Error::WatchStartFailed(_) => (false, None),
            watcher::Error::WatchFailed(_) => (true, None),
            watcher::Error::WatchError(status) => (true, Some(status.code)),
            watcher::Error::InitialListFailed(_) | watcher::Error::NoResourceVersion => return Self::Trouble,
        };
        let passes = broke || matches!(Trouble::of(error), Trouble::Unreachable | Trouble::Failing);
        match code {
            _ if failures >= BREAKS || !passes => Self::Trouble,
            // Expired, newer than the server's cache, or not a version of this server at all.
            Some(410 | 504 | 400) => Self::List,
            _ => Self::Resume,
        }
    }
}

impl Trouble {
    /// What an error of a watch means.
    pub(super) fn of(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Self::of_request(error),
            watcher::Error::WatchError(status) => Self::of_code(status.code),
            watcher::Error::NoResourceVersion => Self::Failing,
        }
    }

    /// What an error of a single request means.
    pub(super) fn of_request(error: &ApiError) -> Self {
        match error {
            ApiError::Api(status) => Self::of_code(status.code),
            ApiError::Service(_) | ApiError::HyperError(_) | ApiError::ReadEvents(_) => Self::Unreachable,
            ApiError::Auth(_) => Self::Unauthorized,
            _ => Self::Failing,
        }
    }

    fn of_code(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::UnknownKind,
            _ => Self::Failing,
        }
    }
}

/// Reads aloud behind "waiting for ..., since".
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the API server cannot be reached",
            Self::Unauthorized => "the API server does not accept our credentials",
            Self::Forbidden => "our Role does not allow it",
            Self::UnknownKind => "its CustomResourceDefinition is not installed",
            Self::Failing => "the API server answers with an error",
        })
    }
}

/// The last of the causes: those above it only say that something failed.
pub(super) fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a dyn Error {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
