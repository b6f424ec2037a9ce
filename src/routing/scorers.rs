//! The scorers: each answers how many tokens of prefill work a choice would cost.

mod adapter_locality;
mod prefix_locality;
mod queue_depth;
mod session_affinity;

pub use adapter_locality::AdapterLocality;
pub use prefix_locality::PrefixLocality;
pub use queue_depth::QueueDepth;
pub use session_affinity::SessionAffinity;

use super::context::{Candidate, PickContext};

/// One scorer. Charges are finite and not negative; 0 means indifferent.
pub trait Scorer: std::fmt::Debug + Send + Sync {
    /// Tokens that picking `candidate` for this request would cost.
    fn charge(&self, context: &PickContext<'_>, candidate: &Candidate) -> f64;
}

#[cfg(test)]
pub(super) mod fixtures {
    use super::{Candidate, PickContext};

    /// An idle candidate that holds nothing.
    pub fn candidate(member: u32) -> Candidate {
        Candidate {
            member,
            placement: u64::from(member).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            weight: 1.0,
            waiting_tokens: 0.0,
            in_flight: 0,
            uncached_tokens: 1000.0,
            is_home: false,
            is_outdated: false,
            is_parents_home: false,
            lacks_adapter: false,
            penalty: 0.0,
        }
    }

    /// A request without a session.
    pub fn context(candidates: &[Candidate]) -> PickContext<'_> {
        PickContext { candidates, hidden_tokens: 0.0, seeks_home: false, block_tokens: 128.0, tie_key: 7 }
    }
}
