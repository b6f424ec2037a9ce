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
    computed_tokens: f64,
}

/// The last decisions by the request that they are of.
pub async fn by_request(admin: SocketAddr) -> anyhow::Result<HashMap<String, Decision>> {
    let page = http::get(admin, "/decisions?limit=1024").await?;
    let decisions: Vec<Decision> = serde_json::from_str(&page)?;
    Ok(decisions.into_iter().filter_map(|decision| Some((decision.request_id.clone()?, decision))).collect())
}

// === impl Decision ===

impl Decision {
    /// Tokens that the engine which was picked is predicted to compute.
    pub fn computed_tokens(&self) -> f64 {
        self.choices.first().map_or(self.prompt_tokens, |winner| winner.computed_tokens)
    }
}
