//! Spreads the requests of one tick of the trace's clock over that tick.
//!
//! Traces are often written with coarse clocks, and a burst at every tick is nothing that happened. How long a tick is
//! the trace says itself: as the smallest time between two of its timestamps ([`Clock`]), unless that is longer than any
//! clock's. What lies further apart than that is a pause, into which nothing is spread. A second reader runs ahead by one tick and only counts, so that not
//! even one tick has to be kept.

use super::line::Lines;
use super::{Arrival, TraceError};

/// Timestamps that lie no more than so many ticks apart are one tick apart: clocks are not exact.
const UNSTEADY: f64 = 1.5;
/// Milliseconds of the coarsest clock that is one: logs that know only minutes.
const COARSEST: f64 = 60_000.0;

/// Finds the tick of a trace's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// The first timestamp and the last, in milliseconds.
    pub span: Option<(f64, f64)>,
    tick: Option<f64>,
}

/// The requests of a trace in the order of their times.
pub struct Arrivals {
    lines: Lines,
    ahead: Lines,
    /// The timestamp that the reader ahead has seen and not counted yet, in milliseconds.
    peeked: Option<f64>,
    /// The first timestamp of the trace, in milliseconds.
    first: Option<f64>,
    /// Of the trace's clock, in milliseconds.
    clock_tick: f64,
    tick: Tick,
}

/// Requests with one timestamp.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    /// Milliseconds over which they are spread.
    length: f64,
    requests: u64,
    /// Requests of it that were given out.
    given: u64,
}

impl Clock {
    /// The next timestamp, in milliseconds; none is earlier than the one before.
    pub fn see(&mut self, at: f64) {
        let (first, last) = *self.span.get_or_insert((at, at));
        if at > last {
            self.tick = Some(self.tick.map_or(at - last, |tick| tick.min(at - last)));
        }
        self.span = Some((first, at));
    }

    /// The smallest time between two timestamps, in milliseconds; 0 where there is only one, or where that is no clock's.
    pub fn tick(&self) -> f64 {
        self.tick.filter(|tick| *tick <= COARSEST).unwrap_or_default()
    }
}

impl Arrivals {
    /// Reads the same lines twice; their clock ticks every `clock_tick` milliseconds.
    pub(super) fn new(lines: Lines, ahead: Lines, clock_tick: f64) -> Self {
        Self { lines, ahead, peeked: None, first: None, clock_tick, tick: Tick::default() }
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
                    let gap = next.map(|next| next - at).filter(|gap| *gap <= UNSTEADY * self.clock_tick);
                    let length = gap.unwrap_or(self.clock_tick);
                    self.tick = Tick { length, requests, given: 0 };
                    return Ok(());
                }
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = Result<Arrival, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
