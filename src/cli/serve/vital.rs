//! Tasks without which the process must not go on: a panic in one of them ends it.
//!
//! [`Vital::spawn`] starts one, [`Panicked::wait`] tells.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Starts such tasks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Vital(mpsc::UnboundedSender<Dead>);

/// A task has panicked. What it followed would never change again, and nobody would know.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the task that follows {0} has panicked")]
pub struct Dead(&'static str);

/// Who waits for that.
#[derive(Debug)]
pub struct Panicked(mpsc::UnboundedReceiver<Dead>);

/// The two halves.
pub fn vital() -> (Vital, Panicked) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Vital(sender), Panicked(receiver))
}

impl Vital {
    /// Runs what follows `what`, until it ends or is aborted.
    pub fn spawn<F>(&self, what: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let died = self.0.clone();
        tokio::spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                // Nobody waits when the process is about to end anyway.
                let _ = died.send(Dead(what));
            }
        })
    }
}

impl Panicked {
    /// Waits for the first panic.
    pub async fn wait(&mut self) -> Dead {
        match self.0.recv().await {
            Some(dead) => dead,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_and_an_end_is_not() {
        let (vital, mut panicked) = vital();
        vital.spawn("one that ends", async {}).await.expect("it ended");
        let aborted = vital.spawn("one that is aborted", std::future::pending::<()>());
        aborted.abort();
        assert!(aborted.await.is_err());
        vital.spawn("the pool", async { panic!("on purpose") }).await.expect("it is caught");
        let dead = timeout(Duration::from_secs(10), panicked.wait()).await.expect("it is told");
        assert_eq!(dead, Dead("the pool"));
    }
}
