//! A borrowed view of a body: model, prompt and session, without a JSON tree.
//!
//! [`with_content`] is the one entry. The body is read once, into the texts of the few members that a pick may
//! depend on; those are looked into only where there is something to find.

mod billing;
mod body;
mod cursor;
mod hints;
mod json;
mod markers;
mod media;
mod parts;
mod pieces;
mod session;
mod token_ids;

use std::fmt;

use crate::model::{Part, Prompt, SessionSource, Unit};

use super::api::Api;

use body::{Body, Main, Said};
use token_ids::Features;

#[cfg(test)]
pub use session::FIELDS as SESSION_FIELDS;

/// What a body says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The prompt, if there is one that we understand.
    pub prompt: Option<Prompt<'a>>,
    /// The session that it names, if that was asked for.
    pub session: Option<Named<'a>>,
    /// Whether a field that was asked for a session held text that is no id.
    pub invalid_session: bool,
    /// Why no engine can take it, as far as we can tell.
    pub fault: Option<Fault>,
}

/// A session that a body names.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// A valid id.
    pub id: &'a str,
    /// What kind of field held it.
    pub source: SessionSource,
    /// That field.
    pub field: &'static str,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not JSON, or not an object with fields of the right kind.
    #[error("the request body is not a JSON object with the fields of its API")]
    Malformed,
    /// It names no model, and its API asks for one.
    #[error("the request body names no model")]
    NoModel,
}

/// Without the id, so that no log can hold it.
impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("source", &self.source).field("field", &self.field).finish_non_exhaustive()
    }
}

/// Shows what `body` says to `read`; looks for a session in it only if `asks_session`.
///
/// Prompt bytes are the JSON text as the client wrote it: tools, then the system prompt, then messages or prompt,
/// the order in which chat templates render them. A longer conversation has the same parts in front, which is all
/// that matters. Token ids are [`TOKEN_ID_BYTES`](crate::model::TOKEN_ID_BYTES) each, whatever stands between them.
pub fn with_content<T>(api: Api, body: &[u8], asks_session: bool, read: impl FnOnce(Content<'_>) -> T) -> T {
    let malformed = Content { fault: Some(Fault::Malformed), ..Content::default() };
    let Some(body) = std::str::from_utf8(body).ok().and_then(Body::read) else { return read(malformed) };
    let search = if asks_session { session::find(&body) } else { session::Search::default() };
    let named = search.found.as_ref().map(|it| Named { id: &it.id, source: it.field.source, field: it.field.name });
    let broken = Content { session: named, invalid_session: search.invalid, ..malformed };
    let Some(said) = body.said(api) else { return read(broken) };
    let known = Content { fault: (said.model.is_none() && api.asks_model()).then_some(Fault::NoModel), ..broken };
    match said.main {
        Main::None => read(known),
        Main::Text(main) => parts::of_text(&said, main, |parts| {
            let unit = if said.is_excerpt { Unit::Excerpt } else { Unit::Text };
            read(Content { prompt: Some(said.prompt(parts, unit)), ..known })
        }),
        Main::TokenIds(list) => {
            // The engine may know better what they say: no fault.
            let Some(features) = Features::read(said.features) else { return read(known) };
            token_ids::with(list, &features, |ids| match ids {
                Some(ids) => parts::of_token_ids(&said, ids, |parts| {
                    read(Content { prompt: Some(said.prompt(parts, Unit::TokenIds)), ..known })
                }),
                None => read(broken),
            })
        }
    }
}

impl Said<'_> {
    fn prompt<'p>(&'p self, parts: &'p [Part<'p>], unit: Unit) -> Prompt<'p> {
        let [model, salt] = [&self.model, &self.salt].map(|text| text.as_deref().unwrap_or_default());
        Prompt { model, salt, parts, unit, streams: self.streams }
    }
}

#[cfg(test)]
mod clients;
#[cfg(test)]
mod tests;
