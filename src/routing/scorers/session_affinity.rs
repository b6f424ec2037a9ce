//! Session affinity: `weight * hidden` on every endpoint but the session's home.
//!
//! Hidden are the tokens of the session's context that its home holds and the prefix index cannot see:
//! the end of the last prompt that fills no block and the answer to it, or the whole context where the body is not read.
//!
//! A session that has no home is charged `weight * outdated` on endpoints that may end soon: it would have to move again.

use super::{Candidate, PickContext, Scorer};

/// Charges what a session would leave behind, and what it would lose again.
#[derive(Clone, Copy, Debug)]
pub struct SessionAffinity {
    /// A plain multiplier; 1 is neutral.
    pub weight: f64,
    /// What an endpoint that may end soon costs a session that needs a home, in tokens.
    pub outdated_tokens: f64,
}

impl Scorer for SessionAffinity {
    fn charge(&self, context: &PickContext<'_>, candidate: &Candidate) -> f64 {
        if candidate.is_home {
            0.0
        } else if context.seeks_home && candidate.is_outdated {
            self.weight * (context.hidden_tokens + self.outdated_tokens)
        } else {
            self.weight * context.hidden_tokens
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{candidate, context};
    use super::*;
    use proptest::prelude::*;

    const NEUTRAL: SessionAffinity = SessionAffinity { weight: 1.0, outdated_tokens: 512.0 };

    #[test]
    fn charges_hidden_context_everywhere_but_at_home() {
        for (is_home, hidden, charged) in [(true, 500.0, 0.0), (false, 500.0, 500.0), (false, 0.0, 0.0)] {
            let candidate = Candidate { is_home, ..candidate(0) };
            let candidates = [candidate];
            let context = PickContext { hidden_tokens: hidden, ..context(&candidates) };
            assert_eq!(NEUTRAL.charge(&context, &candidate), charged);
        }
    }

    #[test]
    fn charges_an_endpoint_that_may_end_soon_to_a_session_without_a_home_only() {
        for (seeks_home, is_outdated, charged) in [(true, true, 512.0), (true, false, 0.0), (false, true, 0.0)] {
            let candidate = Candidate { is_outdated, ..candidate(0) };
            let candidates = [candidate];
            let context = PickContext { seeks_home, ..context(&candidates) };
            assert_eq!(NEUTRAL.charge(&context, &candidate), charged);
        }
    }

    proptest! {
        #[test]
        fn being_outdated_never_costs_more_than_its_setting_and_nothing_at_0(
            weight in 0.0f64..10.0, outdated_tokens in 0.0f64..1e6, hidden in 0.0f64..1e6, seeks_home: bool, is_home: bool,
        ) {
            let current = Candidate { is_home, ..candidate(0) };
            let outdated = Candidate { is_outdated: true, ..current };
            let candidates = [current, outdated];
            let context = PickContext { hidden_tokens: hidden, seeks_home, ..context(&candidates) };
            let more = |outdated_tokens| {
                let scorer = SessionAffinity { weight, outdated_tokens };
                scorer.charge(&context, &outdated) - scorer.charge(&context, &current)
            };
            prop_assert_eq!(more(0.0), 0.0);
            // Not exact: it was added to a larger number before.
            prop_assert!((0.0..=weight * outdated_tokens * 1.001 + 1e-6).contains(&more(outdated_tokens)));
        }
    }
}
