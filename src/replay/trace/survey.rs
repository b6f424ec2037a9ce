//! What has to be known of a trace before it is replayed.

use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::replay::Seconds;
use crate::simulation::BlockHash;

use super::distinct::Distinct;
use super::oddities::Oddities;
use super::spread::Clock;
use super::{Trace, TraceError};

/// Milliseconds of a trace that is longer than anybody means: 31 days.
const LONG: f64 = 31.0 * 86_400_000.0;

/// A trace in a few numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Its requests; at least 1.
    pub requests: u64,
    /// From the first request to the end of the last one's tick of the trace's clock.
    pub length: Seconds,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// Requests that name a session.
    pub with_session: u64,
    /// Sessions that they name, about where they are many.
    pub sessions: u64,
    /// What is odd about it, a sentence each.
    pub notes: Vec<String>,
    /// The blocks with which every prompt begins.
    pub shared: Vec<BlockHash>,
}

impl Survey {
    /// Reads the lines as they are, for only after that is known how far a tick is spread.
    pub(super) fn of(trace: &Trace, progress: &mut dyn FnMut(f64)) -> Result<(Self, Clock), TraceError> {
        let mut lines = trace.lines()?;
        let (mut survey, mut clock) = (Self::default(), Clock::default());
        let (mut oddities, mut sessions) = (Oddities::default(), Distinct::default());
        let (mut read, bytes) = (0, trace.source.bytes().max(1));
        while let Some(arrival) = lines.arrival()? {
            read += lines.text().len();
            if survey.requests % 64 == 0 {
                progress(read as f64 / bytes as f64);
            }
            clock.see(arrival.at);
            if survey.requests == 0 {
                survey.shared = arrival.chain;
            } else {
                // A prompt that is shorter shares all that it has.
                let differs = survey.shared.iter().zip(&arrival.chain).position(|(a, b)| a != b);
                survey.shared.truncate(differs.unwrap_or(usize::MAX));
            }
            if let Some(session) = &arrival.session {
                survey.with_session += 1;
                sessions.add(xxh3_64(session.as_bytes()));
            }
            oddities.see(lines.line(), lines.text(), lines.aside());
            survey.requests += 1;
            survey.input_tokens = survey.input_tokens.saturating_add(arrival.input_tokens);
            survey.output_tokens = survey.output_tokens.saturating_add(arrival.output_tokens);
        }
        let (first, last) = clock.span.ok_or(TraceError::Empty)?;
        survey.length = (last - first + clock.tick()) / 1000.0;
        survey.sessions = sessions.count();
        survey.notes = oddities.say();
        if last - first > LONG {
            survey.notes.push(span(first, last));
        }
        Ok((survey, clock))
    }

    /// The same of so many copies at once.
    #[must_use]
    pub fn times(self, copies: u64) -> Self {
        let times = |count: u64| count.saturating_mul(copies);
        Self {
            requests: times(self.requests),
            input_tokens: times(self.input_tokens),
            output_tokens: times(self.output_tokens),
            with_session: times(self.with_session),
            sessions: times(self.sessions),
            ..self
        }
    }

    /// Requests in a second, on average; `None` where they all have one timestamp.
    pub fn rate(&self) -> Option<f64> {
        (self.length > 0.0).then(|| self.requests as f64 / self.length)
    }
}

/// Says from when to when a trace is that is too long.
fn span(first: f64, last: f64) -> String {
    let days = (last - first) / 86_400_000.0;
    let date = |millis: f64| Timestamp::from_millisecond(millis as i64).map_or(millis.to_string(), |at| at.to_string());
    let [from, to] = [first, last].map(|millis| if last > 1e11 { date(millis) } else { format!("{millis} ms") });
    format!("it spans {days:.0} days, from {from} to {to}; are all timestamps right?")
}
