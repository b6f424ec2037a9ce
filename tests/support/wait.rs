//! Bounded awaits of events: a test never sleeps for something, it waits until it has happened.

use std::future::Future;
use std::time::{Duration, Instant};

/// No event that these tests await takes a second on an idle machine; this is for a busy one.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(15);

/// The output of `future`, or a failed test that says what did not happen.
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{what}: not within {PATIENCE:?} ({caller})"),
        }
    }
}

/// Polls `probe` until it gives a value; a failed test that says what never came otherwise.
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    patiently(PATIENCE, what, probe).await
}

/// The same for what takes its time.
pub async fn patiently<T>(patience: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = within(what, probe()).await {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        tokio::time::sleep(POLL).await;
    }
}
