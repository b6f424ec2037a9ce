//! Queue depth: `weight * Q`, the tokens that would be computed before this request's own.

use super::{Candidate, PickContext, Scorer};

/// Charges the tokens already waiting at the endpoint.
#[derive(Clone, Copy, Debug)]
pub struct QueueDepth {
    /// A plain multiplier; 1 is neutral.
    pub weight: f64,
}

impl Scorer for QueueDepth {
    fn charge(&self, _: &PickContext<'_>, candidate: &Candidate) -> f64 {
        self.weight * candidate.waiting_tokens
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{candidate, context};
    use super::*;

    #[test]
    fn charges_waiting_tokens_times_weight() {
        for (weight, waiting, charged) in
            [(1.0, 0.0, 0.0), (1.0, 3000.0, 3000.0), (0.5, 3000.0, 1500.0), (0.0, 9.0, 0.0)]
        {
            let candidate = Candidate { waiting_tokens: waiting, ..candidate(0) };
            assert_eq!(QueueDepth { weight }.charge(&context(&[candidate]), &candidate), charged);
        }
    }
}
