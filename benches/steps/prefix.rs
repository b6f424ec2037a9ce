//! The prefix index: blocks that come, that are hit, that are looked up, and that leave.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Throughput};
use homing::state::{Lane, PrefixIndex, PrefixScratch};

use crate::Steps;
use crate::cpu_time::spent;

/// Blocks of a prompt as chats have it, and of one of 100,000 tokens.
const PROMPTS: [usize; 2] = [24, 800];
/// What all endpoints hold together.
const HELD: usize = 1_000_000;
const ENDPOINTS: u32 = 8;
const NO_LIMIT: usize = 1 << 22;

/// An index of a million blocks, and whose they are.
struct Full {
    index: PrefixIndex,
    lanes: Vec<Lane>,
    prompts: u64,
    blocks: usize,
}

pub fn bench(criterion: &mut Steps) {
    insert(criterion);
    hit(criterion);
    leave(criterion);
}

fn chain(prompt: u64, blocks: usize) -> Vec<u64> {
    let hash = |at: u64| {
        let mixed = ((prompt << 20) + at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    };
    (0..blocks as u64).map(hash).collect()
}

impl Full {
    fn new(blocks: usize) -> Self {
        let lanes = (0..ENDPOINTS).map(Lane::new).collect();
        let mut full = Self { index: PrefixIndex::default(), lanes, prompts: 0, blocks };
        while (full.prompts as usize) < HELD / blocks {
            full.record_next(NO_LIMIT);
        }
        full
    }

    fn lane(&self, prompt: u64) -> &Lane {
        &self.lanes[prompt as usize % self.lanes.len()]
    }

    /// Credits a prompt that nobody has seen.
    fn record_next(&mut self, capacity: usize) {
        let chain = chain(self.prompts, self.blocks);
        self.index.record(self.lane(self.prompts), &chain, capacity);
        self.prompts += 1;
    }
}

/// What making the chains costs is left out.
fn timed<T, R>(iterations: u64, mut make: impl FnMut(u64) -> T, mut run: impl FnMut(T) -> R) -> Duration {
    let mut taken = Duration::ZERO;
    for iteration in 0..iterations {
        let made = make(iteration);
        let begun = spent();
        run(made);
        taken += spent().saturating_sub(begun);
    }
    taken
}

fn insert(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("prefix index: insert");
    for blocks in PROMPTS {
        group.throughput(Throughput::Elements(blocks as u64));
        group.bench_function(BenchmarkId::new("new, blocks", blocks), |bencher| {
            bencher.iter_custom(|iterations| {
                let index = PrefixIndex::default();
                let lanes: Vec<Lane> = (0..ENDPOINTS).map(Lane::new).collect();
                timed(
                    iterations,
                    |iteration| {
                        // Again from nothing at a million, so that it is timed at all sizes up to there.
                        if iteration % (HELD / blocks) as u64 == 0 {
                            lanes.iter().for_each(|lane| index.forget(lane, false));
                        }
                        (chain(iteration, blocks), iteration as usize % lanes.len())
                    },
                    |(chain, lane)| index.record(&lanes[lane], &chain, NO_LIMIT),
                )
            });
        });
        let mut full = Full::new(blocks);
        group.bench_function(BenchmarkId::new("new for the oldest of a million, blocks", blocks), |bencher| {
            bencher.iter_custom(|iterations| {
                let first = full.prompts;
                full.prompts += iterations;
                timed(
                    iterations,
                    |iteration| (chain(first + iteration, blocks), first + iteration),
                    |(chain, prompt)| full.index.record(full.lane(prompt), &chain, HELD / ENDPOINTS as usize),
                )
            });
        });
    }
}

fn hit(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("prefix index: hit");
    for blocks in PROMPTS {
        let full = Full::new(blocks);
        let any = |iteration: u64| iteration.wrapping_mul(0x9e37_79b9) % full.prompts;
        group.throughput(Throughput::Elements(blocks as u64));
        group.bench_function(BenchmarkId::new("touch, blocks", blocks), |bencher| {
            bencher.iter_custom(|iterations| {
                timed(
                    iterations,
                    |iteration| (chain(any(iteration), blocks), any(iteration)),
                    |(chain, prompt)| full.index.record(full.lane(prompt), &chain, NO_LIMIT),
                )
            });
        });
        let mut depths = [0; ENDPOINTS as usize];
        let mut scratch = PrefixScratch::default();
        group.bench_function(BenchmarkId::new("match, blocks", blocks), |bencher| {
            bencher.iter_custom(|iterations| {
                timed(
                    iterations,
                    |iteration| chain(any(iteration), blocks),
                    |chain| full.index.depths(black_box(&chain), &mut depths, &mut scratch),
                )
            });
        });
    }
}

fn leave(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("prefix index: leave");
    const BLOCKS: usize = 125_000;
    group.throughput(Throughput::Elements(BLOCKS as u64));
    group.sample_size(10);
    group.bench_function("evict", |bencher| {
        let index = PrefixIndex::default();
        let full = || {
            let lane = Lane::new(0);
            for prompt in 0..(BLOCKS / 24) as u64 {
                index.record(&lane, &chain(prompt, 24), NO_LIMIT);
            }
            lane
        };
        bencher.iter_batched(full, |lane| index.forget(&lane, false), BatchSize::PerIteration);
    });
}
