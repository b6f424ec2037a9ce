//! Line by line: what is on each, or what is wrong with it.

use std::fmt;
use std::io::BufRead;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::{Arrival, Format, TraceError, mooncake, prompts};

/// The lines of one reading of a trace.
pub struct Lines {
    reader: Box<dyn BufRead>,
    format: Format,
    text: String,
    /// Lines read so far.
    line: u64,
    /// Requests read so far.
    number: u64,
    last: f64,
}

/// Milliseconds of a timestamp: a number, or a date and time in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Millis(pub f64);

#[derive(serde::Deserialize)]
struct OnlyTimestamp {
    timestamp: Millis,
}

impl Lines {
    pub(super) fn new(reader: Box<dyn BufRead>, format: Format) -> Self {
        Self { reader, format, text: String::new(), line: 0, number: 0, last: f64::MIN }
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
        let arrival = read.map_err(|what| self.wrong(what))?;
        self.in_order(arrival.at)?;
        self.number += 1;
        Ok(Some(arrival))
    }

    /// The timestamp of the next request, in milliseconds. `None` at the end.
    pub fn timestamp(&mut self) -> Result<Option<f64>, TraceError> {
        if !self.read()? {
            return Ok(None);
        }
        let OnlyTimestamp { timestamp: Millis(at) } = from_json(&self.text).map_err(|what| self.wrong(what))?;
        self.in_order(at)?;
        Ok(Some(at))
    }

    fn read(&mut self) -> Result<bool, TraceError> {
        loop {
            self.text.clear();
            if self.reader.read_line(&mut self.text)? == 0 {
                return Ok(false);
            }
            self.line += 1;
            if !self.text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    fn in_order(&mut self, at: f64) -> Result<(), TraceError> {
        if at < self.last {
            return Err(self.wrong("timestamp: earlier than on the line before; sort the trace".to_owned()));
        }
        self.last = at;
        Ok(())
    }

    fn wrong(&self, what: String) -> TraceError {
        TraceError::Line { line: self.line, what }
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

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MillisVisitor)
    }
}

struct MillisVisitor;

impl Visitor<'_> for MillisVisitor {
    type Value = Millis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds, or a date and time in RFC 3339")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Millis, E> {
        Ok(Millis(value as f64))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Millis, E> {
        Ok(Millis(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Millis, E> {
        Ok(Millis(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Millis, E> {
        let time = humantime::parse_rfc3339_weak(value)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))?
            .duration_since(std::time::UNIX_EPOCH)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))?;
        Ok(Millis(time.as_secs_f64() * 1000.0))
    }
}
