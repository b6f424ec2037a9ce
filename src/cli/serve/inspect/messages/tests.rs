use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::model::{Charges as Charged, EXPLAINED, EngineKind, Reason, SessionSource};

fn choice(endpoint: &str) -> model::Choice {
    model::Choice {
        endpoint: endpoint.into(),
        cost: 1.25,
        uncached_tokens: 2.5,
        held_by_session: 1.5,
        computed_tokens: 1.0,
        waiting_tokens: 3.0,
        in_flight: 4,
        charged: Charged { session_affinity: 5.0, prefix_locality: 6.0, queue_depth: 7.0, adapter_locality: 8.0 },
        penalty: 8.0,
    }
}

#[test]
fn a_decision_reads_the_same_over_grpc_as_on_its_page() {
    let mut choices: [_; EXPLAINED] = Default::default();
    let address: SocketAddr = "[::1]:8001".parse().expect("an address");
    for (request_id, model, known) in [(None, None, 0), (Some("id".into()), Some("m\"odel".into()), 2)] {
        choices[..known].fill_with(|| Some(choice("r1")));
        for (reason, session) in Reason::ALL.into_iter().zip([SessionSource::Header, SessionSource::None].repeat(3)) {
            let decision = model::Decision {
                at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
                request_id: request_id.clone(),
                endpoint: "r1".into(),
                address,
                reason,
                session,
                session_field: (session == SessionSource::Header).then(|| "x-session-id".into()),
                model: model.clone(),
                prompt_tokens: 1_024.5,
                eligible: 9,
                choices: choices.clone(),
            };
            let page = serde_json::to_value(&decision).expect("JSON");
            assert_eq!(serde_json::to_value(Decision::from(&decision)).expect("JSON"), page);
        }
    }
}

#[test]
fn an_endpoint_reads_the_same_over_grpc_as_on_its_page() {
    let view = EndpointView {
        name: "r1".into(),
        address: "127.0.0.1:8001".into(),
        weight: 0.5,
        draining: true,
        ready: true,
        outdated: true,
        waiting_tokens: 1.0,
        in_flight: 2,
        failure_share: 0.25,
        penalty: 3.0,
        prefill_speed: 4.0,
        indexed_blocks: 5,
        capacity_blocks: 6,
        picks: 7,
        engine: Some(EngineKind::Sglang),
        scrape_age: Some(0.5),
        kv_usage: None,
        adapters: 8,
    };
    let page = serde_json::to_value(&view).expect("JSON");
    assert_eq!(serde_json::to_value(Endpoint::from(&view)).expect("JSON"), page);
}
