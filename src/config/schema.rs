//! The configuration document. The defaults below are the only ones.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::byte_size::ByteSize;
use super::duration;
use super::kinds::{Affinity, EngineChoice, ScorerKind};

/// The whole document; every field may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PickerConfig {
    /// The version of this schema.
    pub api_version: ApiVersion,
    /// What the document is.
    pub kind: Kind,
    /// How requests are recognised as one conversation.
    pub sessions: Sessions,
    /// What a choice costs.
    pub scorers: Scorers,
    /// What is remembered of prompts.
    pub prefix_index: PrefixIndex,
    /// What a request may take.
    pub limits: Limits,
    /// What is asked of the engines.
    pub engine_metrics: EngineMetrics,
}

/// The version of the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiVersion {
    /// The only one so far.
    #[default]
    #[serde(rename = "homing.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The only one so far.
    #[default]
    PickerConfig,
}

/// How requests are recognised as one conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sessions {
    /// Request headers that may hold the session id; the first that is present counts. In lower case, 1 to 16.
    #[serde(deserialize_with = "lower_case")]
    pub headers: Vec<String>,
    /// Whether a client that brings no id gets one under the first of `headers`.
    pub generate: bool,
    /// How strongly a session holds on to its endpoint.
    pub affinity: Affinity,
    /// How long a session is remembered after its last request; `1s` to 30 days.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// Sessions remembered at once; the least recently used goes first. At least 1.
    pub max_sessions: usize,
    /// Whether the headers and body fields of known clients are looked at after `headers`.
    pub catalogue: bool,
    /// The header that names the tenant, set by something you trust in front of the gateway's picker: the same id
    /// of two tenants is two sessions. In lower case.
    #[serde(deserialize_with = "lower_case_if_any")]
    pub tenant_header: Option<String>,
}

/// What a choice costs: the sum of what its scorers charge, each times its weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scorers {
    /// Charges for the session's context where it is not held.
    pub session_affinity: SessionAffinity,
    /// Charges for the tokens of the prompt that an endpoint does not hold.
    pub prefix_locality: PrefixLocality,
    /// Charges for the tokens that wait at an endpoint.
    pub queue_depth: Scorer,
    /// Charges for the LoRA adapter that an endpoint would have to load.
    pub adapter_locality: AdapterLocality,
}

/// A scorer that has only a weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scorer {
    /// Multiplies the tokens it charges; 1 is neutral, 0 turns it off. Finite, not negative.
    pub weight: f64,
}

/// The session affinity scorer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionAffinity {
    /// Multiplies the tokens it charges; 1 is neutral, 0 turns it off. Finite, not negative.
    pub weight: f64,
    /// What an endpoint that may end soon costs a session that needs a home, in tokens; finite, not negative. 0 makes no
    /// difference.
    pub outdated_tokens: f64,
}

/// The prefix locality scorer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PrefixLocality {
    /// Multiplies the tokens it charges; 1 is neutral, 0 turns it off. Finite, not negative.
    pub weight: f64,
    /// By how much each request in flight makes an uncached token dearer, as a share; 0 to 1.
    pub load_growth: f64,
}

/// The adapter locality scorer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdapterLocality {
    /// Multiplies the tokens it charges; 1 is neutral, 0 turns it off. Finite, not negative.
    pub weight: f64,
    /// What loading an adapter costs, in tokens of prefill; finite, not negative.
    pub load_tokens: f64,
}

/// What is remembered of prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PrefixIndex {
    /// Bytes of prompt in one hashed block; 64 to 65,536, the same for all replicas.
    pub block_bytes: usize,
    /// Bytes of prompt that make one token, before it is learned; above 0, at most 64.
    pub bytes_per_token: f64,
    /// Tokens that an endpoint's KV cache is taken to hold until its metrics say; at least 1.
    pub default_cache_tokens: u64,
    /// Tokens that an image, a recording or a file counts in a prompt; 1 to 65,536, the same for all replicas.
    pub media_tokens: usize,
}

/// What a request may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// The largest body that is kept for a pick; above it the answer is 413. At least 1KiB.
    pub request_body: ByteSize,
    /// Bodies that wait for their pick, all together; above it requests are picked on load. At least `requestBody`.
    pub buffered_bodies: ByteSize,
    /// How long a body may take to arrive before the request is picked without it; `1ms` to 30 days.
    #[serde(with = "duration")]
    pub body_wait: Duration,
    /// Waiting tokens above which an endpoint takes no more: where all are above it, the answer is 429. Off if
    /// absent; at least 1.
    pub waiting_tokens_per_endpoint: Option<u64>,
    /// Whether a body that no engine can take, without JSON or without a model where its API asks for one, is
    /// answered with 400 instead of being passed on.
    pub strict: bool,
}

/// What is asked of the engines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EngineMetrics {
    /// Whether engines are asked at all; without it the picker goes by its own bookings.
    pub enabled: bool,
    /// Time between two scrapes of one engine, before jitter; `50ms` to 30 days.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How long one scrape may take; `10ms` to 30 days.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Whose names are looked for.
    pub engine: EngineChoice,
    /// The path of an engine's metrics page; the engine's own where it is left out.
    pub path: Option<String>,
    /// The port of an engine's metrics page, 1 to 65535; the engine's own where it is left out.
    pub port: Option<u16>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            headers: vec!["x-session-id".into(), "x-session-affinity".into()],
            generate: true,
            affinity: Affinity::Soft,
            // Longer than people pause in a conversation; engines forget sooner under load, which the index knows.
            idle_timeout: Duration::from_secs(3600),
            // A hundred bytes each: about 100 MiB when full.
            max_sessions: 1_000_000,
            catalogue: true,
            // Anybody can send a header.
            tenant_header: None,
        }
    }
}

impl Default for Scorer {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

impl Default for SessionAffinity {
    fn default() -> Self {
        // Two blocks at the default weight of prefixLocality: more than a near-tie, less than one request that waits.
        Self { weight: 1.0, outdated_tokens: 512.0 }
    }
}

impl Default for PrefixLocality {
    fn default() -> Self {
        // A recomputed token also pushes another out of a cache, hence 2; and it delays every request in
        // flight there, one part in twenty each.
        Self { weight: 2.0, load_growth: 0.05 }
    }
}

impl Default for AdapterLocality {
    fn default() -> Self {
        // A fifth of a second of prefill at 10,000 tokens/s: more than loading from the host's memory takes, less
        // than from a disk. Not measured.
        Self { weight: 1.0, load_tokens: 2000.0 }
    }
}

impl Default for PrefixIndex {
    fn default() -> Self {
        Self {
            // About 128 tokens: fine enough for short system prompts, coarse enough that 100 KB is 200 hashes.
            block_bytes: 512,
            // English prose under the common vocabularies.
            bytes_per_token: 4.0,
            // What an 80 GB accelerator has left for the KV cache of a model of about 8 billion parameters.
            default_cache_tokens: 500_000,
            // A picture of a megapixel in the common vision models.
            media_tokens: 1_024,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A full context of a million tokens, and a few images.
            request_body: ByteSize(32 << 20),
            // Half of a usual container's memory.
            buffered_bodies: ByteSize(1 << 30),
            // An honest upload of 32 MiB over 30 Mbit/s.
            body_wait: Duration::from_secs(10),
            // A queue is the engine's to refuse.
            waiting_tokens_per_endpoint: None,
            // The engine knows better what it can take.
            strict: false,
        }
    }
}

impl Default for EngineMetrics {
    fn default() -> Self {
        Self {
            enabled: true,
            // Own bookings are the fast signal; more often costs the engines more than it tells.
            interval: Duration::from_secs(1),
            // A busy engine takes up to 0.1 s for its page.
            timeout: Duration::from_secs(1),
            engine: EngineChoice::Auto,
            path: None,
            port: None,
        }
    }
}

impl PrefixIndex {
    /// Bytes of prompt that a medium is taken for: fixed, so that replicas that learned differently agree.
    pub fn media_bytes(&self) -> usize {
        (self.media_tokens as f64 * self.bytes_per_token) as usize
    }
}

impl Scorers {
    /// The weight of one scorer.
    pub fn weight(&self, kind: ScorerKind) -> f64 {
        match kind {
            ScorerKind::SessionAffinity => self.session_affinity.weight,
            ScorerKind::PrefixLocality => self.prefix_locality.weight,
            ScorerKind::QueueDepth => self.queue_depth.weight,
            ScorerKind::AdapterLocality => self.adapter_locality.weight,
        }
    }
}

/// HTTP/2 has header names in lower case only, so that is how they are compared.
fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut names = Vec::<String>::deserialize(deserializer)?;
    names.iter_mut().for_each(|name| name.make_ascii_lowercase());
    Ok(names)
}

fn lower_case_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.map(|name| name.to_ascii_lowercase()))
}
