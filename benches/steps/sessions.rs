//! The table of sessions, with a million in it.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use criterion::BenchmarkId;
use homing::model::{EndpointId, SessionKey};
use homing::state::{PromptLength, Session, SessionClass, SessionDigest, Sessions, Stamp};

use crate::statistics::percentile;
use crate::{Steps, cpu_time};

const SESSIONS: u64 = 1_000_000;
const IDLE: Duration = Duration::from_secs(3_600);

/// Lookups that each thread times, one by one.
const TIMED: usize = 2_000_000;

pub fn bench(criterion: &mut Steps) {
    let (sessions, start) = full();
    let mut group = criterion.benchmark_group("sessions");
    let digest = SessionDigest::derived_from("pool");
    group.bench_function(BenchmarkId::from_parameter("digest of an id"), |bencher| {
        let id = "6ecd1d4c-52a1-4b6f-9d0e-0123456789ab";
        bencher.iter(|| digest.key(SessionClass::Session, "", "model", black_box(id)));
    });
    let mut ids = (0..SESSIONS).map(scattered).cycle();
    let mut next = move || SessionKey(ids.next().map_or(0, |id| key(id % SESSIONS).0));
    group.bench_function(BenchmarkId::from_parameter("lookup"), |bencher| {
        bencher.iter(|| sessions.get(next(), start, IDLE));
    });
    group.bench_function(BenchmarkId::from_parameter("renewal"), |bencher| {
        bencher.iter(|| bind(&sessions, next(), start));
    });
    let mut fresh = SESSIONS;
    group.bench_function(BenchmarkId::from_parameter("insert into a full table"), |bencher| {
        bencher.iter(|| {
            fresh += 1;
            bind(&sessions, key(fresh), start + Duration::from_secs(1))
        });
    });
}

/// Two threads at 95 % reads: how long one lookup takes for a thread, and what both do in a second of CPU time each beside
/// what one does. On a machine that gives them no core each, only the latter says something.
pub fn beside_a_writer() -> String {
    let (alone, _) = run(1);
    let (both, mut took) = run(2);
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| percentile(&mut took, share));
    format!(
        "Sessions, {SESSIONS} in the table, 95 % lookups and 5 % renewals or inserts: {:.1} million operations in a second of CPU \
         time by one thread, {:.1} by two, {:.2} times as many. A lookup beside the other thread takes {p50} ns at the median, {p99} ns at p99 and \
         {p999} ns at p99.9, the reading of the clock included.\n",
        alone / 1e6,
        both / 1e6,
        both / alone,
    )
}

/// Operations in a second of CPU time by so many threads, and nanoseconds of lookups.
fn run(threads: u64) -> (f64, Vec<u32>) {
    let (sessions, start) = full();
    let go = AtomicBool::new(false);
    let work = |thread: u64| {
        let mut took = Vec::with_capacity(TIMED);
        while !go.load(Relaxed) {
            std::hint::spin_loop();
        }
        let begun = cpu_time::spent();
        for n in 0..TIMED as u64 {
            let id = scattered(n * 2 + thread);
            if n % 20 == 19 {
                // Every other write is of a new session.
                let id = if n % 40 == 39 { SESSIONS + n * 2 + thread } else { id % SESSIONS };
                bind(&sessions, key(id), start);
                continue;
            }
            let began = Instant::now();
            black_box(sessions.get(key(id % SESSIONS), start, IDLE));
            took.push(began.elapsed().as_nanos() as u32);
        }
        (TIMED as f64 / (cpu_time::spent() - begun).as_secs_f64(), took)
    };
    let results: Vec<(f64, Vec<u32>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        go.store(true, Relaxed);
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let per_second = results.iter().map(|(per_second, _)| per_second).sum();
    (per_second, results.into_iter().flat_map(|(_, took)| took).collect())
}

fn full() -> (Sessions, Instant) {
    let start = Instant::now();
    let sessions = Sessions::new(start);
    (0..SESSIONS).for_each(|id| bind(&sessions, key(id), start));
    (sessions, start)
}

fn bind(sessions: &Sessions, key: SessionKey, now: Instant) {
    let home = EndpointId { slot: 1, generation: 1 };
    let session = Session { home, prompt: PromptLength::of_bytes(4_000.0), answer_tokens: 0 };
    sessions.bind(key, session, Stamp::default(), now, IDLE, SESSIONS as usize);
}

/// Spread over all bits, as digests are.
fn key(id: u64) -> SessionKey {
    SessionKey(u128::from(scattered(id)) << 64 | u128::from(scattered(!id)))
}

fn scattered(id: u64) -> u64 {
    let mixed = (id ^ id >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
}
