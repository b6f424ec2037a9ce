//! Whose request it is: the session id, from the client or made for it.

mod catalogue;
mod tenant;

use std::borrow::Cow;

use uuid::Uuid;

use crate::config::Sessions;
use crate::model::{SessionHint, SessionSource};
use crate::proto::envoy::HeaderValue;

use super::content::Named;
use super::header::{LONGEST_ID, name, value, visible};
use catalogue::{Known, Meaning, PARENTS, SESSIONS};
use tenant::Tenant;

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
    /// Whose request it is cannot be told, so it has no session, whatever it names.
    is_barred: bool,
    /// Whether a session header held what is no id.
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
    tenant: Tenant<'a>,
    repeated: u64,
}

/// The valid ids among them.
struct Ids<'a> {
    /// The configured names.
    names: &'a [String],
    /// By the places of those names.
    configured: [Option<&'a str>; MOST_CONFIGURED],
    sessions: [Option<&'a str>; SESSIONS.len()],
    invalid: bool,
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
        let ids = Ids::among(&seen, &sessions.headers);
        let identity = Self { invalid: ids.invalid, repeated: seen.repeated, ..Self::default() };
        let Some(tenant) = seen.tenant.text() else { return Self { is_barred: true, ..identity } };
        let ends = seen.ends.is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
        let parent = seen.parents.iter().zip(&PARENTS).find_map(|(value, header)| {
            let id = visible((*value)?, LONGEST_ID)?;
            ids.inside(!header.scope.is_empty(), header.scope, id)
        });
        let identity = Self { tenant, ends, ..identity };
        if let Some((place, known, id)) = ids.configured() {
            let field = known.map_or_else(|| sessions.headers[place].clone().into(), |it| it.name.into());
            // An id that was put together is not what the client sent.
            let echo = place == 0 && known.is_none_or(|known| !known.is_scoped);
            return Self { source: SessionSource::Header, echo, ..identity.named(id, field, parent) };
        }
        let Some((header, id)) = ids.known() else { return Self { parent, ..identity } };
        let parent = parent.or_else(|| ids.under(header.child_of).map(Into::into));
        Self { source: header.source, ..identity.named(id, header.name.into(), parent) }
    }

    fn named(self, id: Box<str>, field: Cow<'static, str>, parent: Option<Box<str>>) -> Self {
        // Codex sends the id of a session's main thread as that of the session, too.
        let parent = parent.filter(|parent| *parent != id);
        Self { id: Some(id), field: Some(field), parent, ..self }
    }

    /// Whether the headers settled it: nothing in the body names another session.
    pub fn is_named(&self) -> bool {
        self.id.is_some() || self.is_barred
    }

    /// Where the headers named no session, takes the one that the body names, else a new UUID v4 if `generate`.
    pub fn settle(&mut self, named: Option<Named<'_>>, generate: bool) {
        if self.is_named() {
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
            let name = name(header);
            let is = |configured: &String| configured.eq_ignore_ascii_case(name);
            if sessions.tenant_header.as_ref().is_some_and(is) {
                seen.tenant = seen.tenant.and(value(header));
                continue;
            }
            let (place, is_session) = if let Some(place) = sessions.headers.iter().position(is) {
                (seen.configured.get_mut(place), true)
            } else {
                match catalogue::meaning(name).filter(|_| sessions.catalogue) {
                    Some(Meaning::Session(place)) => (Some(&mut seen.sessions[place]), true),
                    Some(Meaning::Parent(place)) => (Some(&mut seen.parents[place]), false),
                    Some(Meaning::Final) => (Some(&mut seen.ends), false),
                    None => (None, false),
                }
            };
            match place {
                Some(first @ None) => *first = Some(value(header)),
                Some(Some(_)) => seen.repeated += u64::from(is_session),
                None => {}
            }
        }
        seen
    }
}

impl<'a> Ids<'a> {
    fn among(seen: &Seen<'a>, names: &'a [String]) -> Self {
        let mut invalid = false;
        let mut valid = |value: Option<_>| {
            let id = visible(value?, LONGEST_ID);
            invalid |= id.is_none();
            id
        };
        let (configured, sessions) = (seen.configured.map(&mut valid), seen.sessions.map(&mut valid));
        Self { names, configured, sessions, invalid }
    }

    /// The first id under a configured header, that header's place, and what the catalogue says of it.
    fn configured(&self) -> Option<(usize, Option<&'static Known>, Box<str>)> {
        self.configured.iter().zip(self.names).enumerate().find_map(|(place, (id, name))| {
            let known = catalogue::session(name).map(|place| &SESSIONS[place]);
            let id = match known {
                Some(known) => self.inside(known.is_scoped, known.child_of, (*id)?),
                None => (*id).map(Into::into),
            };
            Some((place, known, id?))
        })
    }

    /// The first id under a header of the catalogue.
    fn known(&self) -> Option<(&'static Known, Box<str>)> {
        let id = |(id, known): (&Option<&str>, &'static Known)| {
            Some((known, self.inside(known.is_scoped, known.child_of, (*id)?)?))
        };
        self.sessions.iter().zip(&SESSIONS).find_map(id)
    }

    /// The first id under one of these headers of the catalogue, which may be configured as well.
    fn under(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| {
            let place = self.names.iter().position(|configured| configured.eq_ignore_ascii_case(name));
            place.and_then(|place| *self.configured.get(place)?).or_else(|| self.sessions[catalogue::session(name)?])
        })
    }

    /// An id, with its session before it if it is one only inside that; then there is none without that session.
    /// No id holds a space, so no two pairs look alike.
    fn inside(&self, is_scoped: bool, scope: &[&str], id: &str) -> Option<Box<str>> {
        if is_scoped { Some(format!("{} {id}", self.under(scope)?).into()) } else { Some(id.into()) }
    }
}

#[cfg(test)]
mod tests;
