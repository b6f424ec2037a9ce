//! Homing's decisions, from its admin port.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::http;

/// One pick, as the page `/decisions` tells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    request_id: Option<String>,
    pub endpoint: String,
    pub reason: String,
    pub prompt_tokens: f64,
    /// The winner first.
    choices: Vec<Choice>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Choice {
    uncached_tokens: f64,
    charged: Charges,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charges {
    session_affinity: f64,
}

/// The last decisions by the request that they are of.
pub async fn by_request(admin: SocketAddr) -> anyhow::Result<HashMap<String, Decision>> {
    let page = http::get(admin, "/decisions?limit=1024").await?;
    let decisions: Vec<Decision> = serde_json::from_str(&page)?;
    Ok(decisions.into_iter().filter_map(|decision| Some((decision.request_id.clone()?, decision))).collect())
}

// === impl Decision ===

impl Decision {
    /// Tokens of the prompt that the index does not know where the request went.
    pub fn unindexed_tokens(&self) -> f64 {
        self.choices.first().map_or(self.prompt_tokens, |winner| winner.uncached_tokens)
    }

    /// Of these, what the session's home is known to hold all the same, where it was picked: what the others were charged
    /// for the session.
    ///
    /// `weight` is that of the scorer; where it is 0 nobody is charged, and nothing is told.
    pub fn session_tokens(&self, weight: f64) -> f64 {
        if self.reason != "session" || weight <= 0.0 {
            return 0.0;
        }
        let charged = self.choices.iter().skip(1).map(|choice| choice.charged.session_affinity / weight);
        charged.fold(0.0, f64::max)
    }
}
