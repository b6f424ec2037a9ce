//! A session: what a client calls one conversation.

use std::fmt;

use serde::Serialize;

/// The keyed digest of a session; the raw id is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(pub u128);

/// Where a request's session id came from, in the order in which sources are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionSource {
    /// A session header: one that the operator configured, or one of those that mean nothing else.
    Header,
    /// A header by which a known client names its conversation.
    Harness,
    /// A field of the body that names a session.
    Body,
    /// The conversation of OpenAI's Responses API.
    Conversation,
    /// `prompt_cache_key`: a group of requests that many users may share. It breaks ties and is never bound.
    Group,
    /// Homing generated it for a client that brought none.
    Generated,
    /// There is none, and generation is off.
    #[default]
    None,
}

impl SessionSource {
    /// Every source, in the order of `docs/sessions.md`.
    pub const ALL: [Self; 7] =
        [Self::Header, Self::Harness, Self::Body, Self::Conversation, Self::Group, Self::Generated, Self::None];

    /// The word in metrics and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Harness => "harness",
            Self::Body => "body",
            Self::Conversation => "conversation",
            Self::Group => "group",
            Self::Generated => "generated",
            Self::None => "none",
        }
    }

    /// Whether a client named one conversation by it, so that it is worth remembering.
    pub fn is_bindable(self) -> bool {
        match self {
            Self::Header | Self::Harness | Self::Body | Self::Conversation => true,
            Self::Group | Self::Generated | Self::None => false,
        }
    }
}

/// What a request says of its session; borrowed from the stream, and never printed with its ids.
#[derive(Clone, Copy, Default)]
pub struct SessionHint<'a> {
    /// A valid id, from the client or generated.
    pub id: Option<&'a str>,
    /// Where that id came from.
    pub source: SessionSource,
    /// The header or body field that held it.
    pub field: Option<&'a str>,
    /// Whose it is, from a header that the operator trusts; empty where there is none.
    pub tenant: &'a str,
    /// The session that this one was started from: a new session begins where its parent lives, if all costs tie.
    pub parent: Option<&'a str>,
    /// Whether this is the session's last request.
    pub ends: bool,
}

impl fmt::Debug for SessionHint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHint")
            .field("source", &self.source)
            .field("field", &self.field)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_prints_a_hint_shows_an_id() {
        let hint = SessionHint {
            id: Some("sentinel"),
            tenant: "sentinel",
            parent: Some("sentinel"),
            ..SessionHint::default()
        };
        assert!(!format!("{hint:?}").contains("sentinel"));
    }
}
