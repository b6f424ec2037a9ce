//! Line by line: what is on each, or what is wrong with it.

use std::io::BufRead;
use std::ops::Range;

use serde::Deserialize;

use super::fields::Time;
use super::keys::Keys;
use super::oddities::Aside;
use super::{Arrival, Format, TraceError, mooncake, prompts};

/// A first timestamp in here is no time in milliseconds, but one in seconds since 1970: from 2001 to 5138.
const SECONDS: Range<f64> = 1e9..1e11;

/// The lines of one reading of a trace.
pub struct Lines {
    reader: Box<dyn BufRead>,
    format: Format,
    text: String,
    /// Lines read so far.
    line: u64,
    /// Requests read so far.
    number: u64,
    /// What the line that was read last says beside its request.
    aside: Aside,
    /// The timestamp of the request before.
    last: Option<f64>,
}

/// What is on one line.
pub struct Read {
    /// The request; its `at` is the timestamp in milliseconds yet.
    pub arrival: Arrival,
    /// The timestamp.
    pub time: Time,
    /// What else it says.
    pub aside: Aside,
}

#[derive(Deserialize)]
struct OnlyTimestamp {
    timestamp: Time,
}

impl Lines {
    pub(super) fn new(reader: Box<dyn BufRead>, format: Format) -> Self {
        Self { reader, format, text: String::new(), line: 0, number: 0, aside: Aside::default(), last: None }
    }

    /// The next request; its `at` is the timestamp in milliseconds yet. `None` at the end.
    pub fn arrival(&mut self) -> Result<Option<Arrival>, TraceError> {
        if !self.read()? {
            return Ok(None);
        }
        let read = match self.format {
            Format::Mooncake => mooncake::read(&self.text, self.number),
            Format::Prompts { block_tokens } => prompts::read(&self.text, self.number, block_tokens),
        };
        let Read { arrival, time, aside } = read.map_err(|what| self.wrong(what + self.format.hint(&self.text)))?;
        self.in_order(time)?;
        self.aside = aside;
        self.number += 1;
        Ok(Some(arrival))
    }

    /// The timestamp of the next request, in milliseconds. `None` at the end.
    pub fn timestamp(&mut self) -> Result<Option<f64>, TraceError> {
        if !self.read()? {
            return Ok(None);
        }
        let OnlyTimestamp { timestamp } = from_json(&self.text).map_err(|what| self.wrong(what))?;
        self.in_order(timestamp)?;
        Ok(Some(timestamp.millis))
    }

    /// What stands on the line that was read last.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The number of the line that was read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// What the line that was read last says beside its request.
    pub fn aside(&self) -> &Aside {
        &self.aside
    }

    /// Reads the next line that is not empty; `false` at the end.
    pub fn read(&mut self) -> Result<bool, TraceError> {
        loop {
            let mut bytes = std::mem::take(&mut self.text).into_bytes();
            bytes.clear();
            if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(false);
            }
            self.line += 1;
            self.text = String::from_utf8(bytes).map_err(|error| {
                let place = error.utf8_error().valid_up_to() + 1;
                self.wrong(format!("byte {place} is no UTF-8; convert the file, with iconv for one"))
            })?;
            if !self.text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    fn in_order(&mut self, Time { millis, is_date }: Time) -> Result<(), TraceError> {
        match self.last {
            None if !is_date && SECONDS.contains(&millis) => {
                let what = format!("timestamp: {millis} is seconds since 1970, and milliseconds are meant");
                return Err(self.wrong(what + "; multiply all by 1000"));
            }
            Some(last) if millis < last => {
                return Err(self.wrong("timestamp: earlier than on the line before; sort the trace by it".to_owned()));
            }
            _ => self.last = Some(millis),
        }
        Ok(())
    }

    fn wrong(&self, what: String) -> TraceError {
        TraceError::Line { line: self.line, what }
    }
}

impl Format {
    /// That of a line, by its fields; `None` where they do not tell. Engines have blocks of `block_tokens`, where the
    /// format leaves that open.
    pub fn of_line(text: &str, block_tokens: u64) -> Option<Self> {
        let keys: Keys = from_json(text).ok()?;
        if keys.are_mooncakes() {
            return Some(Self::Mooncake);
        }
        keys.are_prompts().then_some(Self::Prompts { block_tokens })
    }

    /// What to say of a line that is not of this format but of the other; else nothing.
    fn hint(self, text: &str) -> &'static str {
        match (self, Self::of_line(text, 1)) {
            (Self::Mooncake, Some(Self::Prompts { .. })) => "; this is a line of `--format prompts`",
            (Self::Prompts { .. }, Some(Self::Mooncake)) => "; this is a line of `--format mooncake`",
            _ => "",
        }
    }
}

/// Reads one JSON object; the error names the field.
pub fn from_json<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let what = error.into_inner().to_string();
        // The place in the line says nothing that the field does not.
        let what = what.split(" at line ").next().unwrap_or_default();
        if path == "." || path == "?" { what.to_owned() } else { format!("{path}: {what}") }
    })?;
    json.end().map_err(|_| "more than one JSON object".to_owned())?;
    Ok(value)
}
