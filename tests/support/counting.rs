//! An allocator that counts: what its own thread asks for and holds, and what all hold.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// The system's allocator, counted.
pub struct Counting;

thread_local! {
    static ASKED: Cell<Asked> = const { Cell::new(Asked { times: 0, bytes: 0 }) };
    static HELD_HERE: Cell<i64> = const { Cell::new(0) };
}

static HELD: AtomicI64 = AtomicI64::new(0);
static MOST: AtomicI64 = AtomicI64::new(0);

/// How often memory was asked for, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub times: u64,
    pub bytes: u64,
}

// SAFETY: every call is handed to the system's allocator as it came; the counters allocate nothing.
#[allow(unsafe_code, reason = "an allocator cannot be written without; it ships with nothing")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        hold(-(layout.size() as i64));
        unsafe { System.dealloc(place, layout) }
    }
}

fn count(asked: usize, given_back: usize) {
    hold(asked as i64 - given_back as i64);
    let Asked { times, bytes } = ASKED.get();
    ASKED.set(Asked { times: times + 1, bytes: bytes + asked as u64 });
}

fn hold(more: i64) {
    MOST.fetch_max(HELD.fetch_add(more, Relaxed) + more, Relaxed);
    // A thread that ends may free after its counter is gone.
    let _ = HELD_HERE.try_with(|held| held.set(held.get() + more));
}

/// Bytes that this thread has asked for and not given back. What another thread frees is counted there.
pub fn held_here() -> i64 {
    HELD_HERE.get()
}

/// What this thread asks for while `work` runs; its result is dropped before the count ends.
pub fn asked_by<T>(work: impl FnOnce() -> T) -> Asked {
    let before = ASKED.get();
    drop(work());
    let after = ASKED.get();
    Asked { times: after.times - before.times, bytes: after.bytes - before.bytes }
}

/// Bytes that `work` leaves held in what it returns, and the most that it held meanwhile, by all threads.
pub fn held_by<T>(work: impl FnOnce() -> T) -> (T, i64, i64) {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let made = work();
    (made, HELD.load(Relaxed) - before, MOST.load(Relaxed) - before)
}
