//! The few families we want of an engine's metrics page, read line by line as it arrives.
//!
//! [`parse`] takes a whole page; [`Page`] takes it in pieces, and keeps one line of it at most.

mod families;
mod lora;
mod sample;
mod totals;

use totals::Totals;

use crate::model::{EngineKind, EngineReport};

/// Longest line that is read; vLLM's lists of adapters are the longest. What is longer is skipped.
const LINE: usize = 64 << 10;

/// A metrics page as far as it has arrived.
#[derive(Debug, Default)]
pub struct Page {
    /// The start of a line whose end has not arrived.
    line: Vec<u8>,
    /// That line is too long, so its rest is passed over.
    skipping: bool,
    totals: Totals,
}

/// Reads a whole page, by whatever engine.
pub fn parse(page: &[u8]) -> EngineReport {
    let mut pieces = Page::default();
    pieces.push(page);
    pieces.finish()
}

impl Page {
    /// A page by `engine`, whose names alone count; by any, where it is not known.
    pub fn of(engine: Option<EngineKind>) -> Self {
        Self { totals: Totals::of(engine), ..Self::default() }
    }

    /// Takes the next piece of the page, cut anywhere.
    pub fn push(&mut self, mut piece: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (rest, next) = (&piece[..end], &piece[end + 1..]);
            if self.line.is_empty() && !self.skipping && rest.len() <= LINE {
                self.totals.line(rest);
            } else {
                self.keep(rest);
                self.end_line();
            }
            piece = next;
        }
        self.keep(piece);
    }

    /// What the page says, all in all.
    pub fn finish(mut self) -> EngineReport {
        self.end_line();
        self.totals.report()
    }

    fn keep(&mut self, part: &[u8]) {
        self.skipping |= self.line.len() + part.len() > LINE;
        if self.skipping {
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        self.totals.line(&self.line);
        self.line.clear();
        self.skipping = false;
    }
}

#[cfg(test)]
mod tests;
