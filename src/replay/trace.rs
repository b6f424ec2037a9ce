//! The trace: requests with their times, read from a file as they are needed.
//!
//! A trace is read once before a replay, for what has to be known beforehand ([`Survey`]), and again in each replay
//! ([`Trace::arrivals`]). Nothing of it is kept, so its length does not matter.

mod line;
mod mooncake;
mod prompts;
mod spread;
mod survey;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor};
use std::path::PathBuf;
use std::sync::Arc;

use crate::simulation::BlockHash;

use super::Seconds;
use line::Lines;

pub use spread::Arrivals;
pub use survey::Survey;

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line: `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (one for each block of
    /// [`MOONCAKE_BLOCK`] tokens).
    Mooncake,
    /// One JSON object a line: `timestamp` (ms, or a date and time), `messages` or `prompt`, `session`, `max_tokens`.
    Prompts {
        /// Tokens in one KV block of the engines; at least 1.
        block_tokens: u64,
    },
}

/// Tokens that one hash id of a Mooncake trace stands for.
pub const MOONCAKE_BLOCK: u64 = 512;
/// Bytes of text that the engines take for one token. Fixed: what the picker learns shall be true.
pub const BYTES_PER_TOKEN: usize = 4;

/// A trace that can be read again and again.
#[derive(Clone, Debug)]
pub struct Trace {
    source: Source,
    format: Format,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// One request of the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Its place in the trace, from 0.
    pub number: u64,
    /// Seconds since the first, at the trace's own rate.
    pub at: Seconds,
    /// Tokens of the prompt; at least 1.
    pub input_tokens: u64,
    /// Tokens of the answer; at least 1.
    pub output_tokens: u64,
    /// The full blocks of the prompt.
    pub chain: Vec<BlockHash>,
    /// The session that it names.
    pub session: Option<String>,
    /// What a picker can read of it.
    pub content: Content,
}

/// What a picker can read of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Stands for the tokens: one id a block of [`MOONCAKE_BLOCK`], the last one perhaps not full.
    Ids(Vec<u64>),
    /// A body as clients send it.
    Body(String),
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// One line of it.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: u64,
        /// The field and what is wrong with it.
        what: String,
    },
    /// A pipe or a folder.
    #[error("it is no plain file, and a trace is read more than once")]
    NoFile,
    /// There is nothing in it.
    #[error("there is no request in it")]
    Empty,
}

impl Trace {
    /// The trace in a file.
    pub fn file(path: PathBuf, format: Format) -> Self {
        Self { source: Source::File(path), format }
    }

    /// The trace in a text.
    pub fn text(text: &str, format: Format) -> Self {
        Self { source: Source::Memory(text.as_bytes().into()), format }
    }

    /// Tokens in one block of its chains.
    pub fn block_tokens(&self) -> u64 {
        match self.format {
            Format::Mooncake => MOONCAKE_BLOCK,
            Format::Prompts { block_tokens } => block_tokens,
        }
    }

    /// Reads all of it, for what has to be known before a replay.
    ///
    /// # Errors
    /// The first line that cannot be read, or that there is none.
    pub fn survey(&self) -> Result<Survey, TraceError> {
        Survey::of(self)
    }

    /// Its requests in the order of their times, those of one tick spread up to the next.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn arrivals(&self) -> Result<Arrivals, TraceError> {
        Ok(Arrivals::new(self.lines()?, self.lines()?))
    }

    fn lines(&self) -> Result<Lines, TraceError> {
        let reader: Box<dyn BufRead> = match &self.source {
            Source::File(path) => {
                let file = File::open(path)?;
                if !file.metadata()?.is_file() {
                    return Err(TraceError::NoFile);
                }
                Box::new(BufReader::with_capacity(1 << 18, file))
            }
            Source::Memory(text) => Box::new(Cursor::new(Arc::clone(text))),
        };
        Ok(Lines::new(reader, self.format))
    }
}

#[cfg(test)]
mod tests;
