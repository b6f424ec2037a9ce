//! The trace: requests with their times, read from a file as they are needed.
//!
//! A trace is read once before a replay, for what has to be known beforehand ([`Survey`]), and again in each replay
//! ([`Trace::arrivals`]). Nothing of it is kept, so its length does not matter.

mod distinct;
mod fields;
mod hashed;
mod keys;
mod line;
mod mooncake;
mod oddities;
mod prompts;
mod source;
mod spread;
mod survey;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::simulation::BlockHash;

use super::Seconds;
use line::Lines;
use source::Source;

pub use spread::Arrivals;
pub use survey::Survey;

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line: `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (one for each block of
    /// [`MOONCAKE_BLOCK`] tokens).
    Mooncake,
    /// One JSON object a line: `timestamp` (ms, or a date and time), the body of a request or its fields, `session`,
    /// `output_tokens`.
    Prompts {
        /// Tokens in one KV block of the engines; at least 1.
        block_tokens: u64,
    },
}

/// Tokens that one hash id of a Mooncake trace stands for.
pub const MOONCAKE_BLOCK: u64 = 512;
/// Bytes of text that the engines take for one token. Fixed: what the picker learns shall be true.
pub const BYTES_PER_TOKEN: usize = 4;

/// Tokens of an answer where a line does not tell.
const OUTPUT_TOKENS: u64 = 256;

/// A trace that can be read again and again.
#[derive(Clone, Debug)]
pub struct Trace {
    source: Source,
    format: Format,
    /// Milliseconds between two ticks of its clock, once somebody has read it all.
    tick: OnceLock<f64>,
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
    #[error(transparent)]
    Io(#[from] io::Error),
    /// One line of it.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: u64,
        /// The field and what is wrong with it.
        what: String,
    },
    /// A pipe, a terminal or a folder.
    #[error("it is no plain file, and a trace is read more than once; write it to a file first")]
    NoFile,
    /// Something else than lines of JSON.
    #[error("it is {what}, and one JSON object a line is wanted; {fix}")]
    Other {
        /// What it is, as far as its beginning tells.
        what: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// There is nothing in it.
    #[error("there is no request in it")]
    Empty,
}

impl Trace {
    /// The trace in a file.
    pub fn file(path: PathBuf, format: Format) -> Self {
        Self { source: Source::File(path), format, tick: OnceLock::new() }
    }

    /// The trace in a text.
    pub fn text(text: &str, format: Format) -> Self {
        Self { source: Source::Memory(text.as_bytes().into()), format, tick: OnceLock::new() }
    }

    /// The trace in a file, of the format that its first line tells; prompts where that tells nothing. Engines have
    /// blocks of `block_tokens`, where the format leaves that open.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn guess(path: PathBuf, block_tokens: u64) -> Result<Self, TraceError> {
        let trace = Self::file(path, Format::Prompts { block_tokens });
        let mut lines = trace.lines()?;
        let format = if lines.read()? { Format::of_line(lines.text(), block_tokens) } else { None };
        Ok(Self { format: format.unwrap_or(trace.format), ..trace })
    }

    /// Writes a trace of prompts in Mooncake's format, without the prompts: numbers tell which blocks and which sessions
    /// are equal. Takes memory for each block that differs from others.
    ///
    /// # Errors
    /// The first line that cannot be read, or those of `to`.
    pub fn write_hashed(path: PathBuf, to: &mut dyn Write) -> Result<(), TraceError> {
        let trace = Self::file(path, Format::Prompts { block_tokens: MOONCAKE_BLOCK });
        hashed::write(&mut trace.lines()?, to)
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        self.format
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
        self.survey_with(&mut |_| {})
    }

    /// Reads all of it, and tells now and then which share of it is read, 0 to 1.
    ///
    /// # Errors
    /// Those of [`survey`](Self::survey).
    pub fn survey_with(&self, progress: &mut dyn FnMut(f64)) -> Result<Survey, TraceError> {
        let (survey, clock) = Survey::of(self, progress)?;
        self.tick.get_or_init(|| clock.tick());
        Ok(survey)
    }

    /// Its requests in the order of their times, those of one tick of its clock spread over that tick.
    ///
    /// # Errors
    /// The file cannot be opened; or read, where nobody has surveyed it before.
    pub fn arrivals(&self) -> Result<Arrivals, TraceError> {
        if self.tick.get().is_none() {
            self.survey()?;
        }
        Ok(Arrivals::new(self.lines()?, self.lines()?, self.tick.get().copied().unwrap_or_default()))
    }

    fn lines(&self) -> Result<Lines, TraceError> {
        Ok(Lines::new(self.source.open()?, self.format))
    }
}

#[cfg(test)]
mod tests;
