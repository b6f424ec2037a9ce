//! From configuration to scorers: the one place that knows them all.

use crate::config::Scorers as ScorersConfig;
use crate::model::Charges;

use super::context::{Candidate, PickContext};
use super::scorers::{AdapterLocality, PrefixLocality, QueueDepth, Scorer, SessionAffinity};

/// The scorers of one configuration. By name and not in a list: a pool of thousands is scored for each request, and what is
/// known here need not be looked up there.
#[derive(Debug)]
pub struct Scorers {
    session_affinity: SessionAffinity,
    prefix_locality: PrefixLocality,
    queue_depth: QueueDepth,
    adapter_locality: AdapterLocality,
    #[cfg(test)]
    panics: bool,
}

impl Scorers {
    /// Builds every scorer that `config` configures.
    pub fn new(config: &ScorersConfig) -> Self {
        let ScorersConfig { session_affinity, prefix_locality, queue_depth, adapter_locality } = config;
        Self {
            session_affinity: SessionAffinity {
                weight: session_affinity.weight,
                outdated_tokens: session_affinity.outdated_tokens,
            },
            prefix_locality: PrefixLocality {
                weight: prefix_locality.weight,
                load_growth: prefix_locality.load_growth,
            },
            queue_depth: QueueDepth { weight: queue_depth.weight },
            adapter_locality: AdapterLocality {
                weight: adapter_locality.weight,
                load_tokens: adapter_locality.load_tokens,
            },
            #[cfg(test)]
            panics: false,
        }
    }

    /// What each scorer charges for `candidate`, in tokens.
    pub fn charge(&self, context: &PickContext<'_>, candidate: &Candidate) -> Charges {
        #[cfg(test)]
        assert!(!self.panics, "a scorer with a bug");
        Charges {
            session_affinity: self.session_affinity.charge(context, candidate),
            prefix_locality: self.prefix_locality.charge(context, candidate),
            queue_depth: self.queue_depth.charge(context, candidate),
            adapter_locality: self.adapter_locality.charge(context, candidate),
        }
    }

    /// Tokens that one missing block of `block_tokens` costs on an idle endpoint: the grain of a near-tie.
    pub fn block_cost(&self, block_tokens: f64) -> f64 {
        self.prefix_locality.weight * block_tokens
    }

    /// Whether an outdated endpoint is worse at all for a session that needs a home.
    pub fn shun_outdated(&self) -> bool {
        self.session_affinity.weight * self.session_affinity.outdated_tokens > 0.0
    }

    /// Whether the body of a request can change a pick at all, where its model may be a LoRA adapter or cannot be.
    pub fn read_bodies(&self, with_adapters: bool) -> bool {
        let AdapterLocality { weight, load_tokens } = self.adapter_locality;
        self.prefix_locality.weight > 0.0 || with_adapters && weight * load_tokens > 0.0
    }

    /// Scorers of which one panics, to show that a pick survives it.
    #[cfg(test)]
    pub fn panicking() -> Self {
        Self { panics: true, ..Self::new(&ScorersConfig::default()) }
    }
}
