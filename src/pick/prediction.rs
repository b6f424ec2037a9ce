//! What an endpoint is predicted to compute for a request; bookings, estimates and metrics go by it, costs do not.

use std::time::Instant;

use crate::routing::Candidate;

use super::candidates::Choices;

/// The tokens of one request at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prediction {
    /// Of the tokens that the index does not know there, those that the session's home holds all the same.
    pub held_by_session: f64,
    /// Tokens to compute.
    pub computed: f64,
}

impl Choices<'_> {
    /// For `candidate`, where only the session's home holds `hidden` tokens that the index cannot see.
    pub fn prediction(&self, candidate: &Candidate, hidden: f64, now: Instant) -> Prediction {
        let held_by_session = self.held_by_session(candidate, hidden, now);
        let not_held = candidate.uncached_tokens - held_by_session;
        let computed = self.rounded(candidate, not_held) + self.unsaid_tokens(candidate);
        Prediction { held_by_session, computed }
    }

    /// An engine reuses whole blocks of its own and computes at least the prompt's last token, where its blocks are
    /// known and all of the prompt is. Costs leave that out: it is the same at all engines of a kind.
    fn rounded(&self, candidate: &Candidate, not_held: f64) -> f64 {
        let lane = &self.pool.members()[candidate.member as usize].lane;
        let Some(block) = lane.engine_block_tokens().filter(|_| !self.is_excerpt()) else { return not_held };
        let block = block as f64;
        let held = (self.prompt_tokens - not_held).min(self.prompt_tokens - 1.0);
        self.prompt_tokens - (held / block).floor().max(0.0) * block
    }

    /// The context that an excerpt leaves out is no token of its prompt.
    fn held_by_session(&self, candidate: &Candidate, hidden: f64, now: Instant) -> f64 {
        if !candidate.is_home || self.is_excerpt() || hidden <= 0.0 {
            return 0.0;
        }
        // Worth as much as the chance that its engine answers, as held blocks are.
        let answers = 1.0 - self.pool.members()[candidate.member as usize].load.failure_share(now);
        (hidden * answers).min(candidate.uncached_tokens)
    }
}
