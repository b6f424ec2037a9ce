//! The table of sessions at its size: memory, and ten million ids from several threads.

#[allow(dead_code, reason = "another test binary needs the rest of it")]
#[path = "support/counting.rs"]
mod counting;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use homing::model::{EndpointId, SessionKey};
use homing::state::{PromptLength, Session, Sessions, Stamp};
use parking_lot::Mutex;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// One test at a time: what is held is counted over all threads.
static ALONE: Mutex<()> = parking_lot::const_mutex(());

const HOUR: Duration = Duration::from_secs(3_600);

/// Spread over all bits, as digests are.
fn key(id: u64) -> SessionKey {
    let mixed = u128::from(id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    SessionKey(mixed << 64 | u128::from(id.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(32)))
}

/// Says by itself whose it is.
fn session(id: u64) -> Session {
    let home = EndpointId { slot: (id % 64) as u32, generation: (id >> 8) as u32 };
    Session { home, prompt: PromptLength::of_bytes(4_000.0), answer_tokens: id as u32 }
}

fn bind(sessions: &Sessions, id: u64, now: Instant, max: usize) {
    sessions.bind(key(id), session(id), Stamp::default(), now, HOUR, max);
}

#[test]
fn a_million_sessions_fit_in_150_megabytes_at_every_moment() {
    const MILLION: u64 = 1_000_000;
    let _alone = ALONE.lock();
    let start = Instant::now();
    let (sessions, held, most) = counting::held_by(|| {
        let sessions = Sessions::new(start);
        (0..MILLION).for_each(|id| bind(&sessions, id, start, 2 * MILLION as usize));
        sessions
    });
    assert_eq!(sessions.len() as u64, MILLION);
    println!("{} MB, and {} MB at most", held / 1_000_000, most / 1_000_000);
    assert!(held <= 150_000_000 && most <= 150_000_000, "{held} bytes, and {most} at most");
}

/// How many ids the flood has; a tenth of what `make test-long` takes.
fn flood() -> u64 {
    let told = std::env::var("HOMING_TEST_SESSIONS").ok();
    told.map_or(1_000_000, |told| told.parse().expect("HOMING_TEST_SESSIONS is a number"))
}

#[test]
fn sessions_in_use_outlive_a_flood_of_ids_that_never_come_back_and_nothing_is_resurrected() {
    const MAX: usize = 100_000;
    const REAL: u64 = 10_000;
    const ENDED: u64 = 1_000;
    const FLOODERS: u64 = 2;
    const IDS_PER_TURN: u64 = MAX as u64 / 2 / REAL;
    let _alone = ALONE.lock();
    let flood = flood();
    let start = Instant::now();
    let sessions = Sessions::new(start);
    let end = |id: u64| sessions.end(key(id), Stamp::default());
    (0..REAL + ENDED).for_each(|id| bind(&sessions, id, start, MAX));
    (REAL..REAL + ENDED).for_each(end);

    // Time is how many ids came: a hundred thousand fill the table once, and take ten seconds. Nobody runs far ahead.
    let (came, served) = (AtomicU64::new(0), AtomicU64::new(0));
    let now = |came: u64| start + Duration::from_micros(came * 100);
    thread::scope(|scope| {
        for flooder in 0..FLOODERS {
            let (sessions, came, served) = (&sessions, &came, &served);
            scope.spawn(move || {
                for n in 0..flood / FLOODERS {
                    let at = came.fetch_add(1, Relaxed);
                    while at > served.load(Relaxed) + MAX as u64 / 4 {
                        thread::yield_now();
                    }
                    bind(sessions, (1 << 40 | flooder << 39) + n, now(at), MAX);
                    if n % 1_000 == 0 {
                        assert!(sessions.len() <= MAX + FLOODERS as usize, "{} sessions", sessions.len());
                    }
                }
            });
        }
        // Each real session comes back twice while the table is filled once.
        scope.spawn(|| {
            for turn in 0..flood / IDS_PER_TURN {
                let due = turn * IDS_PER_TURN;
                while came.load(Relaxed) < due {
                    thread::yield_now();
                }
                let (id, ended, now) = (turn % REAL, REAL + turn % ENDED, now(came.load(Relaxed)));
                assert_eq!(sessions.get(key(id), now, HOUR), Some(session(id)), "after {due} ids");
                assert_eq!(sessions.get(key(ended), now, HOUR), None, "it has ended");
                served.store(due, Relaxed);
            }
            served.store(flood, Relaxed);
        });
    });
    let at = now(flood);
    let kept = (0..REAL).filter(|id| sessions.get(key(*id), at, HOUR) == Some(session(*id))).count();
    assert_eq!(kept as u64, REAL);
    assert!(sessions.len() <= MAX);
}
