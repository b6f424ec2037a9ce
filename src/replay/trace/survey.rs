//! What has to be known of a trace before it is replayed.

use crate::replay::Seconds;
use crate::simulation::BlockHash;

use super::{Trace, TraceError};

/// A trace in a few numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Its requests; at least 1.
    pub requests: u64,
    /// From the first request to the end of the last one's tick.
    pub length: Seconds,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// The blocks with which every prompt begins.
    pub shared: Vec<BlockHash>,
}

impl Survey {
    pub(super) fn of(trace: &Trace) -> Result<Self, TraceError> {
        let mut arrivals = trace.arrivals()?;
        let mut survey = Self::default();
        while let Some(arrival) = arrivals.next() {
            let arrival = arrival?;
            if survey.requests == 0 {
                survey.shared = arrival.chain;
            } else {
                // A prompt that is shorter shares all that it has.
                let differs = survey.shared.iter().zip(&arrival.chain).position(|(a, b)| a != b);
                survey.shared.truncate(differs.unwrap_or(usize::MAX));
            }
            survey.requests += 1;
            survey.input_tokens = survey.input_tokens.saturating_add(arrival.input_tokens);
            survey.output_tokens = survey.output_tokens.saturating_add(arrival.output_tokens);
            survey.length = arrival.at + arrivals.rest_of_tick() / 1000.0;
        }
        if survey.requests == 0 { Err(TraceError::Empty) } else { Ok(survey) }
    }

    /// The same of so many copies at once.
    #[must_use]
    pub fn times(self, copies: u64) -> Self {
        let [requests, input_tokens, output_tokens] =
            [self.requests, self.input_tokens, self.output_tokens].map(|count| count.saturating_mul(copies));
        Self { requests, input_tokens, output_tokens, ..self }
    }

    /// Requests in a second, on average; `None` where they all have one timestamp.
    pub fn rate(&self) -> Option<f64> {
        (self.length > 0.0).then(|| self.requests as f64 / self.length)
    }
}
