//! What the picker knows, as messages. Everything is taken apart by name: a new field does not compile before
//! somebody has thought of it here.

use std::time::SystemTime;

use crate::model;
use crate::pick::EndpointView;
use crate::proto::inspect::{Charges, Choice, Decision, Endpoint};

impl From<&model::Decision> for Decision {
    fn from(decision: &model::Decision) -> Self {
        let model::Decision {
            at,
            request_id,
            endpoint,
            address,
            reason,
            session,
            session_field,
            model,
            prompt_tokens,
            eligible,
            choices,
        } = decision;
        Self {
            unix_millis: unix_millis(*at),
            request_id: request_id.as_deref().map(str::to_owned),
            endpoint: endpoint.to_string(),
            address: address.to_string(),
            reason: reason.as_str().to_owned(),
            session: session.as_str().to_owned(),
            session_field: session_field.as_deref().map(str::to_owned),
            model: model.as_deref().map(str::to_owned),
            prompt_tokens: *prompt_tokens,
            eligible: *eligible,
            choices: choices.iter().flatten().map(Into::into).collect(),
        }
    }
}

impl From<&model::Choice> for Choice {
    fn from(choice: &model::Choice) -> Self {
        let model::Choice {
            endpoint,
            cost,
            uncached_tokens,
            held_by_session,
            computed_tokens,
            waiting_tokens,
            in_flight,
            charged,
            penalty,
        } = choice;
        Self {
            endpoint: endpoint.to_string(),
            cost: *cost,
            uncached_tokens: *uncached_tokens,
            held_by_session: *held_by_session,
            computed_tokens: *computed_tokens,
            waiting_tokens: *waiting_tokens,
            in_flight: *in_flight,
            charged: Some(charged.into()),
            penalty: *penalty,
        }
    }
}

impl From<&model::Charges> for Charges {
    fn from(charges: &model::Charges) -> Self {
        let model::Charges { session_affinity, prefix_locality, queue_depth, adapter_locality } = *charges;
        Self { session_affinity, prefix_locality, queue_depth, adapter_locality }
    }
}

impl From<&EndpointView> for Endpoint {
    fn from(view: &EndpointView) -> Self {
        let EndpointView {
            name,
            address,
            weight,
            draining,
            ready,
            outdated,
            waiting_tokens,
            in_flight,
            failure_share,
            penalty,
            prefill_speed,
            indexed_blocks,
            capacity_blocks,
            picks,
            engine,
            scrape_age,
            kv_usage,
            adapters,
        } = view;
        Self {
            name: name.to_string(),
            address: address.to_string(),
            weight: *weight,
            draining: *draining,
            ready: *ready,
            outdated: *outdated,
            waiting_tokens: *waiting_tokens,
            in_flight: *in_flight,
            failure_share: *failure_share,
            penalty: *penalty,
            prefill_speed: *prefill_speed,
            indexed_blocks: *indexed_blocks as u64,
            capacity_blocks: *capacity_blocks as u64,
            picks: *picks,
            engine: engine.map(|engine| engine.as_str().to_owned()),
            scrape_age: *scrape_age,
            kv_usage: *kv_usage,
            adapters: *adapters as u64,
        }
    }
}

fn unix_millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
