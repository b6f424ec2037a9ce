//! Whose request it is: the session id, from the client or made for it.

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use uuid::Uuid;

use crate::config::Sessions;
use crate::model::{SessionHint, SessionSource};

use super::content::Named;
use super::header::{value, visible};

/// The longest id that is taken; peers draw the line at 255 or 256 too.
const LONGEST_ID: usize = 255;

/// A request's session id, and what else its headers say of the session. Lives as long as the request; never logged.
#[derive(Clone, Default)]
pub struct Identity {
    id: Option<Box<str>>,
    source: SessionSource,
    /// The header or body field that held the id.
    field: Option<Box<str>>,
    /// Whether the response returns it under the session header.
    echo: bool,
    tenant: Box<str>,
    parent: Option<Box<str>>,
    ends: bool,
    /// Whether the client sent something that is no id.
    pub invalid: bool,
    /// How many session headers came more than once.
    pub repeated: u64,
}

/// Without any id, so that no log can hold one.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("source", &self.source).field("echo", &self.echo).finish_non_exhaustive()
    }
}

impl Identity {
    /// The first valid id among the headers, in the order of `sessions`.
    ///
    /// An id that came under the first name, the session header, is echoed; under another it is only used.
    pub fn read(headers: &[HeaderValue], sessions: &Sessions) -> Self {
        let mut identity = Self::default();
        for (place, name) in sessions.headers.iter().enumerate() {
            let Some(header) = headers.iter().find(|header| header.key.eq_ignore_ascii_case(name)) else { continue };
            if let Some(id) = visible(value(header), LONGEST_ID) {
                identity.id = Some(id.into());
                identity.source = SessionSource::Header;
                identity.field = Some(name.as_str().into());
                identity.echo = place == 0;
                break;
            }
            identity.invalid = true;
        }
        identity
    }

    /// Where the headers named no session, takes the one that the body names, else a new UUID v4 if `generate`.
    pub fn settle(&mut self, named: Option<Named<'_>>, generate: bool) {
        if self.id.is_some() {
            return;
        }
        if let Some(Named { id, source, field }) = named {
            (self.id, self.source, self.field) = (Some(id.into()), source, Some(field.into()));
        } else if generate {
            self.id = Some(Uuid::new_v4().to_string().into());
            self.source = SessionSource::Generated;
            self.echo = true;
        }
    }

    /// What the pick may know.
    pub fn hint(&self) -> SessionHint<'_> {
        SessionHint {
            id: self.id.as_deref(),
            source: self.source,
            field: self.field.as_deref(),
            tenant: &self.tenant,
            parent: self.parent.as_deref(),
            ends: self.ends,
        }
    }

    /// The id to return under the session header.
    pub fn echoed(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.echo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &[u8])]) -> Identity {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, raw)| HeaderValue { key: (*key).into(), raw_value: raw.to_vec(), ..HeaderValue::default() })
            .collect();
        let mut identity = Identity::read(&headers, &Sessions::default());
        identity.settle(None, true);
        identity
    }

    #[test]
    fn the_first_valid_header_in_order_wins() {
        let identity = read(&[("x-session-affinity", b"b"), ("X-Session-Id", b"a")]);
        assert_eq!((identity.id.as_deref(), identity.echoed()), (Some("a"), Some("a")));
        let identity = read(&[("x-session-affinity", b"b"), ("x-session-id", b"")]);
        assert_eq!((identity.id.as_deref(), identity.echoed(), identity.invalid), (Some("b"), None, true));
    }

    #[test]
    fn an_invalid_id_is_treated_as_none() {
        for invalid in [&b"with space"[..], b"\xff", b"tab\t", &[b'a'; 256], b""] {
            let identity = read(&[("x-session-id", invalid)]);
            assert_eq!((identity.source, identity.invalid), (SessionSource::Generated, true), "{invalid:?}");
        }
        assert_eq!(read(&[("x-session-id", &[b'a'; 255])]).source, SessionSource::Header);
    }

    #[test]
    fn a_generated_id_is_a_uuid_of_version_4() {
        let id = read(&[]).id.expect("generated");
        assert_eq!(Uuid::parse_str(&id).map(|uuid| uuid.get_version_num()), Ok(4));
    }

    #[test]
    fn nothing_that_prints_an_identity_shows_the_id() {
        assert!(!format!("{:?}", read(&[("x-session-id", b"sentinel")])).contains("sentinel"));
    }
}
