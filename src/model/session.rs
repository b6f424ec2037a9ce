//! A session: what a client calls one conversation.

use serde::Serialize;

/// The keyed digest of a session; the raw id is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(pub u128);

/// Where a request's session id came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionSource {
    /// A session header that the client sent.
    Header,
    /// Homing generated it for a client that brought none.
    Generated,
    /// The client brought none, or an invalid one, and generation is off.
    None,
}

impl SessionSource {
    /// The word in metrics and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Generated => "generated",
            Self::None => "none",
        }
    }
}
