//! Whose request it is: the session id, from the client or made for it.

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use uuid::Uuid;

use crate::model::SessionSource;

use super::header::{value, visible};

/// The longest id that is taken; peers draw the line at 255 or 256 too.
const LONGEST_ID: usize = 255;

/// A request's session id. Lives as long as the request; never logged.
#[derive(Clone)]
pub struct Identity {
    /// The id, if there is one.
    pub id: Option<Box<str>>,
    /// Where it came from.
    pub source: SessionSource,
    /// Whether the response returns it under the session header.
    pub echo: bool,
    /// Whether the client sent something that is no id.
    pub invalid: bool,
}

/// Without the id itself, so that no log can hold it.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("source", &self.source).field("echo", &self.echo).finish_non_exhaustive()
    }
}

impl Identity {
    /// The first valid id among `names`, in their order; else a new UUID v4 if `generate`.
    ///
    /// An id that came under the first name, the session header, is echoed; under another it is only used.
    pub fn read(headers: &[HeaderValue], names: &[String], generate: bool) -> Self {
        let mut invalid = false;
        for (place, name) in names.iter().enumerate() {
            let Some(header) = headers.iter().find(|header| header.key.eq_ignore_ascii_case(name)) else { continue };
            if let Some(id) = visible(value(header), LONGEST_ID) {
                return Self { id: Some(id.into()), source: SessionSource::Header, echo: place == 0, invalid };
            }
            invalid = true;
        }
        if generate {
            let id = Uuid::new_v4().to_string().into();
            return Self { id: Some(id), source: SessionSource::Generated, echo: true, invalid };
        }
        Self { id: None, source: SessionSource::None, echo: false, invalid }
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
        Identity::read(&headers, &["x-session-id".into(), "x-session-affinity".into()], true)
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
