//! A decision and its explanation: who was picked, and what each choice would have cost.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::session::SessionSource;

/// How many choices an explanation holds: the winner and the best of the others.
pub const EXPLAINED: usize = 8;

/// Why the winner won.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It is the session's home.
    Session,
    /// It holds the longest part of the prompt.
    Prefix,
    /// Nothing but load decided, or load outweighed a home or a prefix elsewhere.
    Load,
    /// The session's home is gone or out; it has a new one from now on.
    Moved,
    /// The session's home is not ready, and expected back: this request goes elsewhere, the session does not.
    Away,
    /// Scoring failed, and the least loaded endpoint was taken.
    Fallback,
}

impl Reason {
    /// Every reason, in the order of `docs/scoring.md`.
    pub const ALL: [Self; 6] = [Self::Session, Self::Prefix, Self::Load, Self::Moved, Self::Away, Self::Fallback];

    /// The label in metrics and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Prefix => "prefix",
            Self::Load => "load",
            Self::Moved => "moved",
            Self::Away => "away",
            Self::Fallback => "fallback",
        }
    }
}

/// What one endpoint would have cost, in prompt tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The endpoint's name.
    pub endpoint: Arc<str>,
    /// The sum that was compared: all charges and the penalty, divided by the endpoint's weight.
    pub cost: f64,
    /// Tokens of this prompt that the index does not know there.
    pub uncached_tokens: f64,
    /// Of these, tokens that the session's home holds all the same; 0 elsewhere.
    pub held_by_session: f64,
    /// Tokens that it is predicted to compute: what is booked where it is picked.
    pub computed_tokens: f64,
    /// Tokens sent there whose first byte has not come back.
    pub waiting_tokens: f64,
    /// Requests in flight there.
    pub in_flight: u32,
    /// What each scorer charged, in the order of the registry.
    pub charged: Charges,
    /// Charged for recent failures.
    pub penalty: f64,
}

/// What the scorers charged one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Charges {
    /// By the session affinity scorer.
    pub session_affinity: f64,
    /// By the prefix locality scorer.
    pub prefix_locality: f64,
    /// By the queue depth scorer.
    pub queue_depth: f64,
    /// By the adapter locality scorer.
    pub adapter_locality: f64,
}

impl Charges {
    /// All charges together.
    pub fn sum(&self) -> f64 {
        let Self { session_affinity, prefix_locality, queue_depth, adapter_locality } = self;
        session_affinity + prefix_locality + queue_depth + adapter_locality
    }
}

/// One pick, explained.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// When it was made.
    #[serde(rename = "unixMillis", serialize_with = "unix_millis")]
    pub at: SystemTime,
    /// The gateway's `x-request-id`, as in its access log.
    pub request_id: Option<Box<str>>,
    /// The endpoint that was picked.
    pub endpoint: Arc<str>,
    /// Where the request was sent.
    pub address: SocketAddr,
    /// Why.
    pub reason: Reason,
    /// Where the session id came from.
    pub session: SessionSource,
    /// The header or body field that held it, if a client sent one.
    pub session_field: Option<Box<str>>,
    /// The model that the request named, if its body was read.
    pub model: Option<Box<str>>,
    /// Estimated tokens of the prompt.
    pub prompt_tokens: f64,
    /// Endpoints that were eligible.
    pub eligible: u32,
    /// The winner first, then the others by cost; `None` fills the rest.
    #[serde(serialize_with = "present")]
    pub choices: [Option<Choice>; EXPLAINED],
}

fn unix_millis<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let millis = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    serializer.serialize_u64(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn present<S: Serializer>(choices: &[Option<Choice>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(None)?;
    for choice in choices.iter().flatten() {
        sequence.serialize_element(choice)?;
    }
    sequence.end()
}

/// Reads aloud: `r3: 1024 uncached, 3000 waiting; r7: 9800 uncached, 0 waiting; picked r3 (prefix)`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for choice in self.choices.iter().flatten() {
            write!(
                f,
                "{}: {:.0} uncached, {:.0} waiting; ",
                choice.endpoint, choice.uncached_tokens, choice.waiting_tokens
            )?;
        }
        write!(f, "picked {} ({})", self.endpoint, self.reason.as_str())
    }
}
