//! Whose request it is: the session id, from the client or made for it.

mod catalogue;

use std::borrow::Cow;

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use uuid::Uuid;

use crate::config::Sessions;
use crate::model::{SessionHint, SessionSource};

use super::content::Named;
use super::header::{LONGEST_ID, value, visible};
use catalogue::{Meaning, PARENTS, SESSIONS};

/// The configuration allows no more session headers.
const MOST_CONFIGURED: usize = 16;

/// A request's session id, and what else its headers say of the session. Lives as long as the request; never logged.
#[derive(Clone, Default)]
pub struct Identity {
    id: Option<Box<str>>,
    source: SessionSource,
    /// The header or body field that held the id.
    field: Option<Cow<'static, str>>,
    /// Whether the response returns it under the session header.
    echo: bool,
    tenant: Box<str>,
    parent: Option<Box<str>>,
    ends: bool,
    /// Whether the client sent something that is no id.
    pub invalid: bool,
    /// How many session headers came again; only the first of a name counts.
    pub repeated: u64,
}

/// The values of the headers that may matter, before any is judged.
#[derive(Default)]
struct Seen<'a> {
    configured: [Option<&'a [u8]>; MOST_CONFIGURED],
    sessions: [Option<&'a [u8]>; SESSIONS.len()],
    parents: [Option<&'a [u8]>; PARENTS.len()],
    ends: Option<&'a [u8]>,
    tenant: Option<&'a [u8]>,
    repeated: u64,
}

/// Without any id, so that no log can hold one.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("source", &self.source).field("echo", &self.echo).finish_non_exhaustive()
    }
}

impl Identity {
    /// What the headers say: the first valid id in the order of `sessions.headers`, then of the catalogue.
    ///
    /// An id that came under the first configured name, the session header, is echoed; under another it is only used.
    pub fn read(headers: &[HeaderValue], sessions: &Sessions) -> Self {
        let seen = Seen::among(headers, sessions);
        let mut invalid = false;
        let mut valid = |value: Option<_>| {
            let id = visible(value?, LONGEST_ID);
            invalid |= id.is_none();
            id
        };
        let configured = seen.configured.map(&mut valid);
        let known = seen.sessions.map(&mut valid);
        let parents = seen.parents.map(&mut valid);
        let tenant = valid(seen.tenant).unwrap_or_default().into();
        let ends = seen.ends.is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
        let identity = Self { invalid, repeated: seen.repeated, tenant, ends, ..Self::default() };

        let id_of = |names: &[&str]| names.iter().find_map(|name| known[catalogue::session(name)?]);
        let parent = parents.iter().zip(&PARENTS).find_map(|(id, header)| Some(scoped(id_of(header.scope), (*id)?)));
        if let Some((place, id)) = first(&configured) {
            let field = sessions.headers[place].as_str();
            let field =
                catalogue::session(field).map_or_else(|| field.to_owned().into(), |it| SESSIONS[it].name.into());
            return Self {
                source: SessionSource::Header,
                echo: place == 0,
                ..identity.named(id.into(), field, parent)
            };
        }
        let Some((place, id)) = first(&known) else { return Self { parent, ..identity } };
        let header = &SESSIONS[place];
        let session = id_of(header.child_of);
        let id = scoped(session.filter(|_| header.is_scoped), id);
        let parent = parent.or_else(|| session.map(Into::into));
        Self { source: header.source, ..identity.named(id, header.name.into(), parent) }
    }

    fn named(self, id: Box<str>, field: Cow<'static, str>, parent: Option<Box<str>>) -> Self {
        // Codex sends the id of a session's main thread as that of the session, too.
        let parent = parent.filter(|parent| *parent != id);
        Self { id: Some(id), field: Some(field), parent, ..self }
    }

    /// Whether the headers named a session.
    pub fn is_named(&self) -> bool {
        self.id.is_some()
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

impl<'a> Seen<'a> {
    /// Looks at each header once.
    fn among(headers: &'a [HeaderValue], sessions: &Sessions) -> Self {
        let mut seen = Self::default();
        for header in headers {
            let name = header.key.as_str();
            let is = |configured: &String| configured.eq_ignore_ascii_case(name);
            let place = if sessions.tenant_header.as_ref().is_some_and(is) {
                Some(&mut seen.tenant)
            } else if let Some(place) = sessions.headers.iter().position(is) {
                seen.configured.get_mut(place)
            } else {
                match catalogue::meaning(name).filter(|_| sessions.catalogue) {
                    Some(Meaning::Session(place)) => Some(&mut seen.sessions[place]),
                    Some(Meaning::Parent(place)) => Some(&mut seen.parents[place]),
                    Some(Meaning::Final) => Some(&mut seen.ends),
                    None => None,
                }
            };
            match place {
                Some(first @ None) => *first = Some(value(header)),
                Some(Some(_)) => seen.repeated += 1,
                None => {}
            }
        }
        seen
    }
}

fn first<'a>(ids: &[Option<&'a str>]) -> Option<(usize, &'a str)> {
    ids.iter().enumerate().find_map(|(place, id)| Some((place, (*id)?)))
}

/// An id that is one only inside a session. No id holds a space, so no two pairs look alike.
fn scoped(session: Option<&str>, id: &str) -> Box<str> {
    session.map_or_else(|| id.into(), |session| format!("{session} {id}").into())
}

#[cfg(test)]
mod tests;
