//! Prompts as numbers: a trace of prompts in Mooncake's format, in which nobody reads what was written.

use std::collections::HashMap;
use std::io::Write;

use super::line::Lines;
use super::{MOONCAKE_BLOCK, TraceError};

/// Numbers that were given out, in the order of first sight: they tell what is equal, and nothing else.
#[derive(Default)]
struct Numbers<T> {
    known: HashMap<T, u64>,
    next: u64,
}

impl<T: std::hash::Hash + Eq> Numbers<T> {
    /// That of a thing, the same each time.
    fn of(&mut self, thing: T) -> u64 {
        let next = self.next;
        let number = *self.known.entry(thing).or_insert(next);
        self.next += u64::from(number == next);
        number
    }

    /// One that nothing else has.
    fn another(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// Writes each request of `lines`, whose blocks are [`MOONCAKE_BLOCK`] long. Times count from the first.
pub fn write(lines: &mut Lines, to: &mut dyn Write) -> Result<(), TraceError> {
    let (mut blocks, mut sessions, mut first) = (Numbers::default(), Numbers::default(), None);
    while let Some(arrival) = lines.arrival()? {
        let at = arrival.at - *first.get_or_insert(arrival.at);
        let (input, output) = (arrival.input_tokens, arrival.output_tokens);
        let mut ids: Vec<u64> = arrival.chain.into_iter().map(|block| blocks.of(block.0)).collect();
        // The end of a prompt that fills no block is in nobody's cache.
        ids.resize_with(usize::try_from(input.div_ceil(MOONCAKE_BLOCK)).unwrap_or(usize::MAX), || blocks.another());
        let session = arrival.session.map(|id| format!("\"session\": \"{}\", ", sessions.of(id)));
        let session = session.unwrap_or_default();
        writeln!(
            to,
            "{{\"timestamp\": {at}, {session}\"input_length\": {input}, \"output_length\": {output}, \"hash_ids\": {ids:?}}}"
        )?;
    }
    Ok(())
}
