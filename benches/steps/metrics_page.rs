//! What an engine says of itself: the few families that are wanted, of a page as it is recorded.

use std::hint::black_box;

use criterion::{BenchmarkId, Throughput};
use homing::sources::engine_metrics::parse;

use crate::Steps;

const PAGES: [(&str, &str); 3] = [
    ("vLLM 0.32", include_str!("../../tests/data/vllm-0.32-metrics.txt")),
    ("SGLang", include_str!("../../tests/data/sglang-metrics.txt")),
    ("trtllm-serve", include_str!("../../tests/data/trtllm-serve-metrics.txt")),
];

pub fn bench(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("metrics page");
    for (engine, page) in PAGES {
        group.throughput(Throughput::Bytes(page.len() as u64));
        group.bench_function(BenchmarkId::new(engine, format!("{} bytes", page.len())), |bencher| {
            bencher.iter(|| parse(black_box(page.as_bytes())));
        });
    }
}
