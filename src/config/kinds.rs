//! Choices that have a name in the document.

use serde::{Deserialize, Serialize};

use crate::model::EngineKind;

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

/// Whose metrics the engines' pages hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// Whatever names are found on each page.
    #[default]
    Auto,
    /// vLLM.
    Vllm,
    /// SGLang, started with `--enable-metrics`.
    Sglang,
    /// TensorRT-LLM under its own server, with `return_perf_metrics` and `enable_iter_perf_stats`.
    TrtllmServe,
    /// Triton with the TensorRT-LLM backend.
    TritonTensorrtLlm,
}

impl EngineChoice {
    /// The engine, if one is named.
    pub fn kind(self) -> Option<EngineKind> {
        match self {
            Self::Auto => None,
            Self::Vllm => Some(EngineKind::Vllm),
            Self::Sglang => Some(EngineKind::Sglang),
            Self::TrtllmServe => Some(EngineKind::TrtllmServe),
            Self::TritonTensorrtLlm => Some(EngineKind::TritonTensorrtLlm),
        }
    }

    /// The path of its metrics page, unless told otherwise.
    pub fn path(self) -> &'static str {
        match self {
            // Its /metrics is a log of iterations, and each reading takes away what it returns.
            Self::TrtllmServe => "/prometheus/metrics",
            Self::Auto | Self::Vllm | Self::Sglang | Self::TritonTensorrtLlm => "/metrics",
        }
    }

    /// The port of its metrics page, unless told otherwise; `None` is the port that serves requests.
    pub fn port(self) -> Option<u16> {
        match self {
            Self::TritonTensorrtLlm => Some(8002),
            Self::Auto | Self::Vllm | Self::Sglang | Self::TrtllmServe => None,
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
    /// Charges an endpoint for a LoRA adapter that it would have to load.
    AdapterLocality,
}

impl ScorerKind {
    /// Every scorer, in the order of the document and of explanations.
    pub const ALL: [Self; 4] = [Self::SessionAffinity, Self::PrefixLocality, Self::QueueDepth, Self::AdapterLocality];

    /// The name in the document, in metrics and in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionAffinity => "sessionAffinity",
            Self::PrefixLocality => "prefixLocality",
            Self::QueueDepth => "queueDepth",
            Self::AdapterLocality => "adapterLocality",
        }
    }
}
