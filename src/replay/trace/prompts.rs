//! A plain format that people can cut from their own logs: bodies with the time at which they came.
//!
//! The line is read as the picker reads a body, by the same code. Engines cut the same bytes into their blocks.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ext_proc::{Api, with_content};
use crate::model::Unit;
use crate::simulation::BlockHash;
use crate::state::hash_prompt;

use super::line::{Millis, from_json};
use super::{Arrival, BYTES_PER_TOKEN, Content};

/// Tokens of an answer where the line does not limit it.
const OUTPUT_TOKENS: u64 = 256;
/// Tokens that a picture or a recording takes in an engine.
const MEDIA_TOKENS: usize = 1_024;

#[derive(Deserialize)]
struct Line<'a> {
    timestamp: Millis,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default, borrow)]
    messages: Option<&'a RawValue>,
    #[serde(default, borrow)]
    prompt: Option<&'a RawValue>,
}

/// Reads one line; engines have blocks of `block_tokens`.
pub fn read(text: &str, number: u64, block_tokens: u64) -> Result<Arrival, String> {
    let Line { timestamp, session, max_tokens, messages, prompt } = from_json(text)?;
    let field = match (messages, prompt) {
        (Some(_), _) => "messages",
        (None, Some(_)) => "prompt",
        (None, None) => return Err("missing field `messages` or `prompt`".to_owned()),
    };
    let block_bytes = usize::try_from(block_tokens).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN);
    let (bytes, hashes) = with_content(Api::Unsaid, text.as_bytes(), false, |content| {
        let prompt = content.prompt?;
        // Token ids are as long as text is here: both make `BYTES_PER_TOKEN`.
        debug_assert!(prompt.unit != Unit::TokenIds || crate::model::TOKEN_ID_BYTES == BYTES_PER_TOKEN);
        let mut hashes = Vec::new();
        hash_prompt(&prompt, block_bytes, MEDIA_TOKENS * BYTES_PER_TOKEN, &mut hashes);
        Some((prompt.len(MEDIA_TOKENS * BYTES_PER_TOKEN), hashes))
    })
    .ok_or_else(|| format!("{field}: neither a text, nor messages, nor token ids"))?;
    Ok(Arrival {
        number,
        at: timestamp.0,
        input_tokens: (bytes.div_ceil(BYTES_PER_TOKEN) as u64).max(1),
        output_tokens: max_tokens.unwrap_or(OUTPUT_TOKENS).max(1),
        chain: hashes.into_iter().map(BlockHash).collect(),
        session,
        content: Content::Body(text.to_owned()),
    })
}
