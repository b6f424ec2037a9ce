//! From a prompt to the chained hashes of its blocks.

use std::hint::black_box;

use criterion::{BenchmarkId, Throughput};
use homing::config::PickerConfig;
use homing::model::Part;
use homing::state::{Chain, hash_prompt};

use crate::Steps;
use crate::pickers::prompt;
use crate::requests::prose;

pub fn bench(criterion: &mut Steps) {
    let settings = PickerConfig::default().prefix_index;
    let mut group = criterion.benchmark_group("hashing");
    for (bytes, size) in [(1 << 10, "1 KB"), (32 << 10, "32 KB"), (256 << 10, "256 KB"), (400_000, "100,000 tokens")] {
        let text = prose(1, bytes);
        let mut chain = Chain::new();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let parts = [Part::Bytes(black_box(text.as_bytes()))];
                hash_prompt(&prompt(&parts), settings.block_bytes, settings.media_bytes(), &mut chain);
            });
        });
    }
}
