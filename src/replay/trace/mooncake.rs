//! The format in which the Mooncake project publishes its traces.

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::simulation::BlockHash;

use super::fields::{Count, Session, Time};
use super::line::{Read, from_json};
use super::oddities::{Answer, Aside};
use super::{Arrival, Content, MOONCAKE_BLOCK};

#[derive(Deserialize)]
struct Line {
    timestamp: Time,
    input_length: Count,
    output_length: Count,
    hash_ids: Vec<u64>,
    /// Not in what is published; whoever adds it tells more.
    #[serde(default)]
    session: Session,
}

/// Reads one line. Tokens that have no id are nobody else's; ids that have no tokens do not count.
pub fn read(text: &str, number: u64) -> Result<Read, String> {
    let Line { timestamp, input_length, output_length, mut hash_ids, session } = from_json(text)?;
    let input_tokens = input_length.0.max(1);
    let (full, all) = (input_tokens / MOONCAKE_BLOCK, input_tokens.div_ceil(MOONCAKE_BLOCK));
    let aside = Aside {
        model: None,
        answer: Answer::Generated(output_length.0),
        no_input: input_length.0 == 0,
        ids: Some((hash_ids.len() as u64, input_length.0.div_ceil(MOONCAKE_BLOCK))),
    };
    hash_ids.truncate(usize::try_from(all).unwrap_or(usize::MAX));
    let mut parent = 0;
    let full = hash_ids.iter().take(usize::try_from(full).unwrap_or(usize::MAX));
    let chain = full.map(|id| {
        parent = xxh3_64_with_seed(&id.to_le_bytes(), parent);
        BlockHash(parent)
    });
    let arrival = Arrival {
        number,
        at: timestamp.millis,
        input_tokens,
        output_tokens: output_length.0.max(1),
        chain: chain.collect(),
        session: session.0,
        content: Content::Ids(hash_ids),
    };
    Ok(Read { arrival, time: timestamp, aside })
}
