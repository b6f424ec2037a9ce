//! From an arrival to what the picker is asked, by the code that serves wherever there is some.

use serde::Deserialize;

use crate::config::Sessions;
use crate::ext_proc::{Api, Identity, with_content};
use crate::model::{Now, Part, Prompt, Request, SessionHint, SessionSource, TOKEN_ID_BYTES, Unit};
use crate::pick::Picker;
use crate::proto::envoy::HeaderValue;
use crate::replay::trace::{Arrival, Content, MOONCAKE_BLOCK};

/// Bytes of one block of a Mooncake trace, in token ids.
const BLOCK_BYTES: usize = MOONCAKE_BLOCK as usize * TOKEN_ID_BYTES;

/// Shows `arrival` to `ask` as a server would show it: without the prompt where the picker needs no body.
///
/// `generated` is the id of a client that names no session; one that does not send its id back gets a new one each
/// time. `token_ids` is room for those of the prompt.
pub fn with_request<T>(
    arrival: &Arrival,
    picker: &Picker,
    generated: &str,
    token_ids: &mut Vec<u8>,
    now: Now,
    ask: impl FnOnce(&Request<'_>) -> T,
) -> T {
    let config = picker.config();
    let mut identity = identity(arrival, &config.sessions);
    let generated = config.sessions.generate.then_some(generated);
    let bytes = match &arrival.content {
        Content::Ids(_) => arrival.input_tokens.saturating_mul(TOKEN_ID_BYTES as u64),
        Content::Body(body) => body.len() as u64,
    };
    if !picker.needs_body(&unread(identity.hint(), bytes), now) {
        return ask(&unread(hint(&identity, generated), bytes));
    }
    let streams = streams(arrival);
    match &arrival.content {
        Content::Ids(ids) => {
            write_token_ids(token_ids, ids, arrival);
            let parts = [Part::Bytes(token_ids)];
            let prompt = Prompt { model: "", salt: "", parts: &parts, unit: Unit::TokenIds, streams };
            ask(&read(hint(&identity, generated), prompt))
        }
        Content::Body(body) => {
            let asks = config.sessions.catalogue && !identity.is_named();
            with_content(Api::Unsaid, body.as_bytes(), asks, |content| {
                identity.settle(content.session, false);
                let session = hint(&identity, generated);
                match content.prompt {
                    Some(prompt) => ask(&read(session, Prompt { streams, ..prompt })),
                    None => ask(&unread(session, bytes)),
                }
            })
        }
    }
}

fn unread(session: SessionHint<'_>, bytes: u64) -> Request<'_> {
    Request { id: None, session, subset: None, prompt: None, unread_bytes: Some(bytes) }
}

fn read<'a>(session: SessionHint<'a>, prompt: Prompt<'a>) -> Request<'a> {
    Request { id: None, session, subset: None, prompt: Some(prompt), unread_bytes: None }
}

/// Whether the answer is asked for as a stream. Where the line does not say, it is: chats are.
pub fn streams(arrival: &Arrival) -> bool {
    #[derive(Deserialize)]
    struct Line {
        stream: Option<bool>,
    }
    match &arrival.content {
        Content::Ids(_) => true,
        Content::Body(body) => serde_json::from_str(body).ok().and_then(|line: Line| line.stream).unwrap_or(true),
    }
}

/// The session of the line, as if it came in the session header.
fn identity(arrival: &Arrival, sessions: &Sessions) -> Identity {
    let header = |(name, id): (&String, &String)| HeaderValue {
        key: name.clone().into(),
        raw_value: id.clone().into(),
        ..HeaderValue::default()
    };
    let headers: Vec<_> = sessions.headers.first().zip(arrival.session.as_ref()).map(header).into_iter().collect();
    Identity::read(&headers, sessions)
}

/// What the pick may know of the session; the server's own ids are chance, and these are not.
fn hint<'a>(identity: &'a Identity, generated: Option<&'a str>) -> SessionHint<'a> {
    match generated.filter(|_| !identity.is_named()) {
        Some(id) => SessionHint { id: Some(id), source: SessionSource::Generated, ..identity.hint() },
        None => identity.hint(),
    }
}

/// Makes token ids of the ids of blocks: equal ones of equal ones.
fn write_token_ids(token_ids: &mut Vec<u8>, ids: &[u64], arrival: &Arrival) {
    let bytes = usize::try_from(arrival.input_tokens).unwrap_or(usize::MAX).saturating_mul(TOKEN_ID_BYTES);
    token_ids.clear();
    for id in ids {
        token_ids.extend_from_slice([id.to_le_bytes(); BLOCK_BYTES / 8].as_flattened());
    }
    // What has no id is nobody else's.
    let own = !arrival.number;
    while token_ids.len() < bytes {
        token_ids.extend_from_slice([own.to_le_bytes(); BLOCK_BYTES / 8].as_flattened());
    }
    token_ids.truncate(bytes);
}
