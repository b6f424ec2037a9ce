//! Adapter locality: `weight * loadTokens` where the request's LoRA adapter would have to be loaded first.
//!
//! Loading takes time that a request waits for, as it waits for prefill, and pushes another adapter out.

use super::{Candidate, PickContext, Scorer};

/// Charges for an adapter that the endpoint lacks.
#[derive(Clone, Copy, Debug)]
pub struct AdapterLocality {
    /// A plain multiplier; 1 is neutral.
    pub weight: f64,
    /// What loading an adapter costs, in tokens of prefill.
    pub load_tokens: f64,
}

impl Scorer for AdapterLocality {
    fn charge(&self, _: &PickContext<'_>, candidate: &Candidate) -> f64 {
        if candidate.lacks_adapter { self.weight * self.load_tokens } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{candidate, context};
    use super::*;

    #[test]
    fn charges_the_loading_only_where_the_adapter_is_lacking() {
        for (weight, load_tokens, lacks_adapter, charged) in
            [(1.0, 2000.0, false, 0.0), (1.0, 2000.0, true, 2000.0), (0.5, 3000.0, true, 1500.0), (0.0, 9.0, true, 0.0)]
        {
            let candidate = Candidate { lacks_adapter, ..candidate(0) };
            let scorer = AdapterLocality { weight, load_tokens };
            assert_eq!(scorer.charge(&context(&[candidate]), &candidate), charged);
        }
    }
}
