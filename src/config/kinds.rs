//! Choices that have a name in the document.

use serde::{Deserialize, Serialize};

/// How strongly a session holds on to its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// The home is a charge among others: load may outweigh it.
    #[default]
    Soft,
    /// The home is kept as long as it is there.
    Hard,
    /// Sessions do not enter the pick.
    Off,
}

impl Affinity {
    /// The word in the document and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
            Self::Off => "off",
        }
    }
}

/// A scorer, by its name in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScorerKind {
    /// Charges an endpoint for context that only the session's home holds.
    SessionAffinity,
    /// Charges an endpoint for the tokens of the prompt that it does not hold.
    PrefixLocality,
    /// Charges an endpoint for the tokens that wait there.
    QueueDepth,
}

impl ScorerKind {
    /// Every scorer, in the order of the document and of explanations.
    pub const ALL: [Self; 3] = [Self::SessionAffinity, Self::PrefixLocality, Self::QueueDepth];

    /// The name in the document, in metrics and in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionAffinity => "sessionAffinity",
            Self::PrefixLocality => "prefixLocality",
            Self::QueueDepth => "queueDepth",
        }
    }
}
