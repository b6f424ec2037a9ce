//! The claims of the fuzz targets, held against a bounded number of inputs on the stable toolchain.
//!
//! Inputs are broken copies of good ones, which come further into a parser than noise does.

#[path = "../fuzz/claims.rs"]
mod claims;

use std::sync::LazyLock;

use homing::model::Endpoint;
use homing::proto::sync::{Binding, Blocks, Load, Update};
use homing::state;
use proptest::collection::vec;
use proptest::prelude::*;

const CONFIG: &[u8] = b"\
sessions: {headers: [x-session-id], generate: true, affinity: soft, idleTimeout: 1h, maxSessions: 10}
scorers:
  sessionAffinity: {weight: 1}
  prefixLocality: {weight: 2, loadGrowth: 0.05}
prefixIndex: {blockBytes: 512, bytesPerToken: 4, defaultCacheTokens: 500000}
limits: &limits {requestBody: 32MiB, bufferedBodies: 1GiB, bodyWait: 10s}
engineMetrics: {enabled: true, interval: 1s, timeout: 500ms, path: /metrics}
";

const ENDPOINTS: &[u8] = b"\
endpoints:
- {name: r1, address: 127.0.0.1, port: 8001, labels: {zone: a}, weight: 1.5}
- {name: r2, address: '::1', port: 8001, drain: true}
";

const METRICS: &[u8] = b"\x05\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
vllm:num_requests_waiting{engine=\"0\",model_name=\"a\\\"}b\"} 3.0
vllm:kv_cache_usage_perc{engine=\"0\"} 0.5 1700000000000
vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"100\"} 1.0
vllm:lora_requests_info{max_lora=\"2\",running_lora_adapters=\"a, b\",waiting_lora_adapters=\"\"} 1.78e+09
sglang:num_queue_reqs{dp_rank=\"1\",priority=\"\",tp_rank=\"0\"} 2.0
process_start_time_seconds 1.79525458217e+09
";

/// What a picker tells another, of endpoints that the other has.
static UPDATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let placement = |place: u16| {
        let name = format!("r{place}");
        Endpoint::new(&name, ([127, 0, 0, 1], 8000 + place).into()).placement()
    };
    let chain = |endpoint, depth, parent, hashes: &[u64]| Blocks {
        endpoint,
        depth,
        parent,
        hashes: hashes.to_vec(),
        retracted: false,
        credit: 17,
    };
    state::encode(&Update {
        replica: 2,
        epoch: 5,
        sequence: 9,
        loads: vec![Load { endpoint: placement(0), waiting_tokens: 700, waiting_requests: 1, in_flight: 2 }],
        blocks: vec![
            chain(placement(0), 3, 0, &[11, 12, 13]),
            chain(placement(0), 5, 13, &[14, 15]),
            chain(placement(1), 4, 13, &[14]),
            Blocks { endpoint: placement(0), hashes: vec![15], retracted: true, credit: 17, ..Blocks::default() },
        ],
        bindings: vec![Binding {
            key_low: 3,
            endpoint: placement(1),
            prompt_length: 90,
            clock: 7,
            ..Binding::default()
        }],
        unplaced: vec![1],
        digest_key: state::SessionDigest::derived_from("fuzz").key_name(),
        name: "homing-1".to_owned(),
        waited_micros: 40_000,
        ..Update::default()
    })
});

/// A copy of the input in which a few runs of bytes are replaced by others.
fn broken(good: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<Vec<u8>>(),
        "[ -~\n]{0,6}".prop_map(String::into_bytes),
        (0..good.len(), 0..40_usize).prop_map(|(start, length)| good[start..].iter().copied().take(length).collect()),
    ];
    vec((0..good.len(), 0..12_usize, piece), 0..6).prop_map(|edits| {
        let mut bytes = good.to_vec();
        for (start, length, piece) in edits {
            let start = start.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, piece);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn config_claims_hold(data in broken(CONFIG)) {
        claims::config(&data);
    }

    #[test]
    fn endpoints_claims_hold(data in broken(ENDPOINTS)) {
        claims::endpoints(&data);
    }

    #[test]
    fn engine_metrics_claims_hold(data in broken(METRICS)) {
        claims::engine_metrics(&data);
    }

    #[test]
    fn update_claims_hold(data in broken(&UPDATE)) {
        claims::update(&data);
    }

    #[test]
    fn stream_claims_hold_in_any_order_of_messages(data in vec(any::<u8>(), 1..40)) {
        claims::stream(&data);
    }

    #[test]
    fn shown_stream_claims_hold_in_any_order_of_messages(data in vec(any::<u8>(), 1..40)) {
        claims::shown_stream(&data);
    }
}

#[test]
fn the_good_inputs_are_good() {
    assert!(homing::config::parse(std::str::from_utf8(CONFIG).expect("text")).is_ok());
    assert!(homing::sources::endpoints_file::parse(std::str::from_utf8(ENDPOINTS).expect("text")).is_ok());
    assert_eq!(claims::sessions_after(&UPDATE), 1);
    assert_eq!(homing::sources::engine_metrics::parse(&METRICS[1..]).waiting, Some(3));
}
