//! A plain format that people can cut from their own logs: bodies with the time at which they came.
//!
//! The body is read as the picker reads one, by the same code; its fields stand on the line itself or under `body`.
//! Engines cut the same bytes into their blocks.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::ext_proc::{Api, with_content};
use crate::model::Unit;
use crate::simulation::BlockHash;
use crate::state::hash_prompt;

use super::fields::{Count, Session, Time};
use super::line::{Read, from_json};
use super::oddities::{Answer, Aside};
use super::{Arrival, BYTES_PER_TOKEN, Content, OUTPUT_TOKENS};

/// Tokens that a picture or a recording takes in an engine.
const MEDIA_TOKENS: usize = 1_024;

#[derive(Deserialize)]
struct Line<'a> {
    timestamp: Time,
    #[serde(default)]
    session: Session,
    /// What was really generated.
    output_tokens: Option<Count>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// The fields of a body that this module looks at itself.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    max_tokens: Option<Count>,
    max_completion_tokens: Option<Count>,
    max_output_tokens: Option<Count>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// Reads one line; engines have blocks of `block_tokens`.
pub fn read(text: &str, number: u64, block_tokens: u64) -> Result<Read, String> {
    let Line { timestamp, session, output_tokens, body: under } = from_json(text)?;
    let (body, place) = match under {
        None => (Cow::Borrowed(text), ""),
        Some(under) => (body_under(under)?, "body."),
    };
    let said: Body<'_> = from_json(&body).map_err(|what| format!("{place}{what}"))?;
    let field = said.field().map_err(|what| format!("{place}{what}"))?;
    let block_bytes = usize::try_from(block_tokens).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN);
    let (bytes, hashes) = with_content(Api::Unsaid, body.as_bytes(), false, |content| {
        let prompt = content.prompt?;
        // Token ids are as long as text is here: both make `BYTES_PER_TOKEN`.
        debug_assert!(prompt.unit != Unit::TokenIds || crate::model::TOKEN_ID_BYTES == BYTES_PER_TOKEN);
        let mut hashes = Vec::new();
        hash_prompt(&prompt, block_bytes, MEDIA_TOKENS * BYTES_PER_TOKEN, &mut hashes);
        Some((prompt.len(MEDIA_TOKENS * BYTES_PER_TOKEN), hashes))
    })
    .ok_or_else(|| match field {
        Some(field) => format!("{place}{field}: neither a text, nor messages, nor token ids"),
        None => "missing field `messages`, `prompt` or `input`, on the line or under `body`".to_owned(),
    })?;
    let answer = match (output_tokens, said.limit()) {
        (Some(Count(tokens)), _) => Answer::Generated(tokens),
        (None, Some(Count(tokens))) => Answer::Limited(tokens),
        (None, None) => Answer::Unsaid,
    };
    let model = said.model.map(|model| xxh3_64(model.get().as_bytes()));
    let aside = Aside { model, answer, no_input: bytes == 0, ids: None };
    let arrival = Arrival {
        number,
        at: timestamp.millis,
        input_tokens: (bytes.div_ceil(BYTES_PER_TOKEN) as u64).max(1),
        output_tokens: answer.tokens().unwrap_or(OUTPUT_TOKENS).max(1),
        chain: hashes.into_iter().map(BlockHash).collect(),
        session: session.0,
        content: Content::Body(body.into_owned()),
    };
    Ok(Read { arrival, time: timestamp, aside })
}

/// The body of a line that has it in a field of its own: an object, or the text of one, as some logs hold it.
fn body_under(under: &RawValue) -> Result<Cow<'_, str>, String> {
    if under.get().starts_with('"') { from_json::<String>(under.get()).map(Cow::Owned) } else { Ok(under.get().into()) }
}

impl Body<'_> {
    /// The field that holds the prompt, of those that most APIs have; the code that serves knows more.
    fn field(&self) -> Result<Option<&'static str>, String> {
        let fields = [("messages", self.messages), ("prompt", self.prompt), ("input", self.input)];
        let mut there = fields.into_iter().filter_map(|(name, value)| Some((name, value?.get())));
        let first = there.next();
        if let (Some((first, _)), Some((second, _))) = (first, there.next()) {
            return Err(format!("{second}: `{first}` is there too; which is the prompt?"));
        }
        match first {
            Some(("messages", list)) if !is_list_of_objects(list) => Err("messages: not a list of messages".to_owned()),
            first => Ok(first.map(|(name, _)| name)),
        }
    }

    /// How long the answer may be.
    fn limit(&self) -> Option<Count> {
        self.max_completion_tokens.or(self.max_output_tokens).or(self.max_tokens)
    }
}

fn is_list_of_objects(json: &str) -> bool {
    let inside = json.strip_prefix('[').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with(['{', ']']))
}
