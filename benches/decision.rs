//! The decision alone: hashing a prompt, finding who holds it, and a whole pick.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use homing::config::{PickerConfig, live};
use homing::model::{Endpoint, Now, Part, Prompt, Request, SessionHint, SessionSource, Unit};
use homing::pick::Picker;
use homing::state::{Chain, Lane, PrefixIndex, PrefixScratch, hash_prompt, pool};

/// Prompt sizes of the stream benchmark's rows.
const SIZES: [usize; 3] = [1 << 10, 32 << 10, 256 << 10];
const BLOCK_BYTES: usize = 512;
const MEDIA_BYTES: usize = 4096;

fn prompt<'a>(parts: &'a [Part<'a>]) -> Prompt<'a> {
    Prompt { model: "m", salt: "", parts, unit: Unit::Text, streams: true }
}

fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash");
    for size in SIZES {
        let text = vec![b'x'; size];
        let mut chain = Chain::new();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher
                .iter(|| hash_prompt(&prompt(black_box(&[Part::Bytes(&text)])), BLOCK_BYTES, MEDIA_BYTES, &mut chain));
        });
    }
}

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup of 100,000 tokens");
    for endpoints in [8_u32, 100] {
        let index = PrefixIndex::default();
        let mut chain = Chain::new();
        hash_prompt(&prompt(&[Part::Bytes(&[b'x'; 400_000])]), BLOCK_BYTES, MEDIA_BYTES, &mut chain);
        let lanes: Vec<Lane> = (0..endpoints).map(Lane::new).collect();
        for (held, lane) in (1..).zip(&lanes) {
            // Each holds another part of it, the dearest case.
            index.record(lane, &chain[..chain.len() * held / lanes.len()], 10_000);
        }
        let mut depths = vec![0; lanes.len()];
        let mut scratch = PrefixScratch::default();
        group.bench_function(BenchmarkId::new("endpoints", endpoints), |bencher| {
            bencher.iter(|| index.depths(black_box(&chain), &mut depths, &mut scratch));
        });
    }
}

fn pick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick");
    for (endpoints, size) in [(8_u16, 1 << 10), (100, 1 << 10), (8, 256 << 10)] {
        let index = Arc::<PrefixIndex>::default();
        let (reader, mut writer) = pool(Arc::clone(&index));
        let address = |n: u16| ([127, 0, 0, 1], 8000 + n).into();
        writer.replace((0..endpoints).map(|n| Endpoint::new(&format!("r{n}"), address(n))).collect());
        let config = live(PickerConfig::default()).0;
        let picker = Arc::new(Picker::new(reader, config, index, Arc::default(), "bench", Instant::now()));
        let text = vec![b'x'; size];
        let parts = [Part::Bytes(&text)];
        let session = SessionHint { id: Some("s"), source: SessionSource::Header, ..SessionHint::default() };
        let request = Request { id: None, session, subset: None, prompt: Some(prompt(&parts)), unread_bytes: None };
        group.bench_function(BenchmarkId::new(format!("{endpoints} endpoints"), size), |bencher| {
            bencher.iter(|| picker.pick(black_box(&request), Now::read()));
        });
    }
}

criterion_group!(benches, hash, lookup, pick);
criterion_main!(benches);
