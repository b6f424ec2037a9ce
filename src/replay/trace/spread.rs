//! Spreads the requests of one tick up to the next.
//!
//! Traces are often written with coarse clocks, and a burst at every tick is nothing that happened. A second reader
//! runs ahead by one tick and only counts, so that not even one tick has to be kept.

use super::line::Lines;
use super::{Arrival, TraceError};

/// The requests of a trace in the order of their times.
pub struct Arrivals {
    lines: Lines,
    ahead: Lines,
    /// The timestamp that the reader ahead has seen and not counted yet, in milliseconds.
    peeked: Option<f64>,
    /// The first timestamp of the trace, in milliseconds.
    first: Option<f64>,
    tick: Tick,
}

/// Requests with one timestamp.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    /// Milliseconds up to the next; that before the last tick for the last.
    length: f64,
    requests: u64,
    /// Requests of it that were given out.
    given: u64,
}

impl Arrivals {
    pub(super) fn new(lines: Lines, ahead: Lines) -> Self {
        Self { lines, ahead, peeked: None, first: None, tick: Tick::default() }
    }

    fn advance(&mut self) -> Result<Option<Arrival>, TraceError> {
        let Some(mut arrival) = self.lines.arrival()? else { return Ok(None) };
        if self.tick.given == self.tick.requests {
            self.next_tick()?;
        }
        let Tick { length, requests, given } = self.tick;
        self.tick.given += 1;
        let first = *self.first.get_or_insert(arrival.at);
        let within = length * given as f64 / requests.max(1) as f64;
        arrival.at = (arrival.at + within - first) / 1000.0;
        Ok(Some(arrival))
    }

    fn next_tick(&mut self) -> Result<(), TraceError> {
        let peeked = self.peeked.take();
        let at = if peeked.is_some() { peeked } else { self.ahead.timestamp()? };
        let (Some(at), mut requests) = (at, 1) else { return Ok(()) };
        loop {
            match self.ahead.timestamp()? {
                Some(next) if next == at => requests += 1,
                next => {
                    self.peeked = next;
                    let length = next.map_or(self.tick.length, |next| next - at);
                    self.tick = Tick { length, requests, given: 0 };
                    return Ok(());
                }
            }
        }
    }

    /// Milliseconds that the tick of the last request lasts, of which it was given this share.
    pub(super) fn rest_of_tick(&self) -> f64 {
        let Tick { length, requests, given } = self.tick;
        length * requests.saturating_sub(given - 1) as f64 / requests.max(1) as f64
    }
}

impl Iterator for Arrivals {
    type Item = Result<Arrival, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
