//! Prefix locality: `weight * U * (1 + loadGrowth * n)`, this request's own prefill.
//!
//! A miss is weighed more than once (weight 2) because it delays everyone behind it and evicts
//! somebody's blocks; it costs more on a busy engine, where prefill shares steps with n decodes.

use super::{Candidate, PickContext, Scorer};

/// Charges the tokens of this prompt that the endpoint does not hold.
#[derive(Clone, Copy, Debug)]
pub struct PrefixLocality {
    /// A plain multiplier.
    pub weight: f64,
    /// How much each request in flight makes a miss dearer; 0.05 is a twentieth.
    pub load_growth: f64,
}

impl Scorer for PrefixLocality {
    fn charge(&self, _: &PickContext<'_>, candidate: &Candidate) -> f64 {
        self.weight * candidate.uncached_tokens * (1.0 + self.load_growth * f64::from(candidate.in_flight))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{candidate, context};
    use super::*;

    #[test]
    fn charges_uncached_tokens_twice_and_more_under_load() {
        let scorer = PrefixLocality { weight: 2.0, load_growth: 0.05 };
        for (uncached, in_flight, charged) in [(0.0, 50, 0.0), (1000.0, 0, 2000.0), (1000.0, 20, 4000.0)] {
            let candidate = Candidate { uncached_tokens: uncached, in_flight, ..candidate(0) };
            assert_eq!(scorer.charge(&context(&[candidate]), &candidate), charged);
        }
    }
}
