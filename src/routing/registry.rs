//! From configuration to scorers: the one place that knows them all.

use crate::config::{ScorerKind, Scorers as ScorersConfig};
use crate::model::Charges;

use super::context::{Candidate, PickContext};
use super::scorers::{AdapterLocality, PrefixLocality, QueueDepth, Scorer, SessionAffinity};

/// The scorers of one configuration, in the order of [`ScorerKind::ALL`].
#[derive(Debug)]
pub struct Scorers {
    scorers: Vec<(ScorerKind, Box<dyn Scorer>)>,
    /// What one token of the prompt costs on an idle endpoint that lacks it.
    uncached_token_cost: f64,
    /// What a missing LoRA adapter costs, in tokens.
    adapter_cost: f64,
    /// What an outdated endpoint costs a session that needs a home, in tokens.
    outdated_cost: f64,
}

impl Scorers {
    /// Builds every scorer that `config` configures.
    pub fn new(config: &ScorersConfig) -> Self {
        let scorers = ScorerKind::ALL.into_iter().map(|kind| (kind, build(kind, config))).collect();
        let adapter_cost = config.adapter_locality.weight * config.adapter_locality.load_tokens;
        let outdated_cost = config.session_affinity.weight * config.session_affinity.outdated_tokens;
        Self { scorers, uncached_token_cost: config.prefix_locality.weight, adapter_cost, outdated_cost }
    }

    /// What each scorer charges for `candidate`, in tokens.
    pub fn charge(&self, context: &PickContext<'_>, candidate: &Candidate) -> Charges {
        let mut charges = Charges::default();
        for (kind, scorer) in &self.scorers {
            *row(&mut charges, *kind) = scorer.charge(context, candidate);
        }
        charges
    }

    /// Tokens that one missing block of `block_tokens` costs: the grain of a near-tie.
    pub fn block_cost(&self, block_tokens: f64) -> f64 {
        self.uncached_token_cost * block_tokens
    }

    /// Whether an outdated endpoint is worse at all for a session that needs a home.
    pub fn shun_outdated(&self) -> bool {
        self.outdated_cost > 0.0
    }

    /// Whether the body of a request can change a pick at all, where its model may be a LoRA adapter or cannot be.
    pub fn read_bodies(&self, with_adapters: bool) -> bool {
        self.uncached_token_cost > 0.0 || with_adapters && self.adapter_cost > 0.0
    }

    /// Scorers whose first charge panics, to show that a pick survives it.
    #[cfg(test)]
    pub fn panicking() -> Self {
        #[derive(Debug)]
        struct Panics;
        impl Scorer for Panics {
            fn charge(&self, _: &PickContext<'_>, _: &Candidate) -> f64 {
                panic!("a scorer with a bug")
            }
        }
        let scorers: Vec<(_, Box<dyn Scorer>)> = vec![(ScorerKind::QueueDepth, Box::new(Panics))];
        Self { scorers, uncached_token_cost: 2.0, adapter_cost: 0.0, outdated_cost: 0.0 }
    }
}

fn build(kind: ScorerKind, config: &ScorersConfig) -> Box<dyn Scorer> {
    let ScorersConfig { session_affinity, prefix_locality, queue_depth, adapter_locality } = config;
    match kind {
        ScorerKind::SessionAffinity => Box::new(SessionAffinity {
            weight: session_affinity.weight,
            outdated_tokens: session_affinity.outdated_tokens,
        }),
        ScorerKind::PrefixLocality => {
            Box::new(PrefixLocality { weight: prefix_locality.weight, load_growth: prefix_locality.load_growth })
        }
        ScorerKind::QueueDepth => Box::new(QueueDepth { weight: queue_depth.weight }),
        ScorerKind::AdapterLocality => {
            Box::new(AdapterLocality { weight: adapter_locality.weight, load_tokens: adapter_locality.load_tokens })
        }
    }
}

fn row(charges: &mut Charges, kind: ScorerKind) -> &mut f64 {
    match kind {
        ScorerKind::SessionAffinity => &mut charges.session_affinity,
        ScorerKind::PrefixLocality => &mut charges.prefix_locality,
        ScorerKind::QueueDepth => &mut charges.queue_depth,
        ScorerKind::AdapterLocality => &mut charges.adapter_locality,
    }
}
