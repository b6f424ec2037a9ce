//! The arithmetic alone: costs of all candidates, the lowest, and ties.

use std::hint::black_box;

use criterion::BenchmarkId;
use homing::config::PickerConfig;
use homing::routing::{Candidate, PickContext, Scorers, picker};

use crate::Steps;

pub fn bench(criterion: &mut Steps) {
    let scorers = Scorers::new(&PickerConfig::default().scorers);
    let mut scratch = Vec::new();
    let mut group = criterion.benchmark_group("routing");
    for endpoints in [8, 100, 1_000, 5_000_u32] {
        for (name, held) in [("prefix on one in three", 0.5), ("all alike", 0.0)] {
            let candidates: Vec<Candidate> = (0..endpoints).map(|member| candidate(member, held)).collect();
            let context = PickContext {
                candidates: &candidates,
                hidden_tokens: 0.0,
                seeks_home: true,
                block_tokens: 128.0,
                tie_key: 42,
            };
            group.bench_function(BenchmarkId::new(name, endpoints), |bencher| {
                bencher.iter(|| picker::pick(&scorers, black_box(&context), &mut scratch));
            });
        }
    }
}

/// Of a prompt of 8,000 tokens, `held` is the share that one in three has.
fn candidate(member: u32, held: f64) -> Candidate {
    let uncached = if member.is_multiple_of(3) { 8_000.0 * (1.0 - held) } else { 8_000.0 };
    Candidate {
        member,
        placement: u64::from(member).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        weight: 1.0,
        waiting_tokens: if held > 0.0 { f64::from(member % 7) * 900.0 } else { 0.0 },
        in_flight: if held > 0.0 { member % 7 } else { 0 },
        uncached_tokens: uncached,
        is_home: false,
        is_outdated: false,
        is_parents_home: false,
        lacks_adapter: false,
        penalty: 0.0,
    }
}
