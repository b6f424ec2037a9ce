//! The thread that asks the engines for their metrics.
//!
//! Reading the pages of thousands of engines takes a large share of a core. Beside probes and watches it would delay
//! them, so it has a thread for itself.

use std::{io, thread};

use tokio::runtime::Builder;

/// The name of the thread.
const NAME: &str = "scrapes";

/// Runs `asking` on a thread of its own, to the end of the process.
///
/// # Errors
/// The thread or its reactor cannot be made.
pub fn start(asking: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(NAME.to_owned()).spawn(move || runtime.block_on(asking))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn engines_are_asked_on_another_thread_than_probes_are_answered() {
        let (sender, receiver) = oneshot::channel();
        let asking = async move {
            // What it spawns stays there as well.
            let task = tokio::spawn(async { thread::current().name().map(str::to_owned) });
            let _ = sender.send(task.await.ok().flatten());
        };
        start(asking).expect("a thread");
        assert_eq!(receiver.await, Ok(Some(NAME.to_owned())));
    }
}
