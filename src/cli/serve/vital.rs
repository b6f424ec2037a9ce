//! Tasks without which the process must not go on: after a panic in one of them it leaves, as if it had been told to.
//!
//! [`Vital::spawn`] starts one, [`Panicked`] tells.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Starts such tasks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Vital(Arc<watch::Sender<Option<Dead>>>);

/// A task has panicked. What it followed would never change again, and nobody would know.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the task that follows {0} has panicked")]
pub struct Dead(&'static str);

/// Who waits for that.
#[derive(Debug)]
pub struct Panicked(watch::Receiver<Option<Dead>>);

/// The two halves.
pub fn vital() -> (Vital, Panicked) {
    let (sender, receiver) = watch::channel(None);
    (Vital(Arc::new(sender)), Panicked(receiver))
}

impl Vital {
    /// Runs what follows `what`, until it ends or is aborted.
    pub fn spawn<F>(&self, what: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let died = Arc::clone(&self.0);
        tokio::spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(what, "a task that must go on has panicked: leaving");
                died.send_modify(|first| *first = first.or(Some(Dead(what))));
            }
        })
    }
}

impl Panicked {
    /// The first panic, if there was one.
    pub fn first(&self) -> Option<Dead> {
        *self.0.borrow()
    }

    /// One item, when there is one; the stream goes on without more.
    pub fn as_signal(&self) -> impl Stream<Item = ()> + use<> {
        let mut told = self.0.clone();
        let panic = async move { told.wait_for(Option::is_some).await.map(drop).ok() };
        stream::once(panic).filter_map(std::future::ready).chain(stream::pending())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_signal_and_an_end_is_none() {
        let (vital, panicked) = vital();
        let mut signals = std::pin::pin!(panicked.as_signal());
        vital.spawn("one that ends", async {}).await.expect("it ended");
        let aborted = vital.spawn("one that is aborted", std::future::pending::<()>());
        aborted.abort();
        assert!(aborted.await.is_err());
        assert!(signals.next().now_or_never().is_none());
        vital.spawn("the pool", async { panic!("on purpose") }).await.expect("it is caught");
        vital.spawn("the file", async { panic!("on purpose") }).await.expect("it is caught");
        timeout(Duration::from_secs(10), signals.next()).await.expect("it is told");
        assert!(signals.next().now_or_never().is_none(), "once");
        assert_eq!(panicked.first(), Some(Dead("the pool")));
    }
}
