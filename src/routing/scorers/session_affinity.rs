//! Session affinity: `weight * hidden` on every endpoint but the session's home.
//!
//! Hidden are the tokens of the session's context that its home holds and the prefix index cannot see:
//! the answer generated last turn, or the whole context where the body is not read.

use super::{Candidate, PickContext, Scorer};

/// Charges what a session would leave behind.
#[derive(Clone, Copy, Debug)]
pub struct SessionAffinity {
    /// A plain multiplier; 1 is neutral.
    pub weight: f64,
}

impl Scorer for SessionAffinity {
    fn charge(&self, context: &PickContext<'_>, candidate: &Candidate) -> f64 {
        if candidate.is_home { 0.0 } else { self.weight * context.hidden_tokens }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{candidate, context};
    use super::*;

    #[test]
    fn charges_hidden_context_everywhere_but_at_home() {
        for (is_home, hidden, charged) in [(true, 500.0, 0.0), (false, 500.0, 500.0), (false, 0.0, 0.0)] {
            let candidate = Candidate { is_home, ..candidate(0) };
            let candidates = [candidate];
            let context = PickContext { hidden_tokens: hidden, ..context(&candidates) };
            assert_eq!(SessionAffinity { weight: 1.0 }.charge(&context, &candidate), charged);
        }
    }
}
