//! From the first connection to the last: serves until a signal, then leaves without cutting an answer.
//!
//! ```text
//! signal -> not ready, still accepting -> window over: GOAWAY, no new streams -> all ended, or deadline -> close
//! ```
//!
//! Fail-open does not replace this: with a request body in flight Envoy answers 500 when its picker goes.
//! [`run`] is the one entry; `cli::serve` stays in it.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::readiness::Readiness;
use super::runtimes::{Ended, Runtimes};

/// How long to stay after the signal.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Still accepting, while gateways learn that this picker is going.
    pub window: Duration,
    /// Then for running streams to finish. They carry live answers, so this is best just under the pod's grace.
    pub timeout: Duration,
}

/// SIGTERM and SIGINT, as they come.
///
/// # Errors
/// The handlers cannot be installed.
pub fn signals() -> io::Result<BoxStream<'static, ()>> {
    let both = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let received = stream::unfold(both, |(mut terminate, mut interrupt)| async move {
        tokio::select! {
            received = terminate.recv() => received?,
            received = interrupt.recv() => received?,
        }
        Some(((), (terminate, interrupt)))
    });
    Ok(received.boxed())
}

/// Serves until the first signal, then drains. A second signal ends it at once.
///
/// Returns how many streams were cut.
///
/// # Errors
/// A runtime of the data side has ended by itself.
pub async fn run(
    runtimes: Runtimes,
    listener: TcpListener,
    readiness: &Readiness,
    plan: Plan,
    signals: impl Stream<Item = ()>,
) -> Result<usize, Ended> {
    let mut signals = pin!(signals);
    tokio::select! {
        ended = runtimes.accept(&listener) => return Err(ended),
        _ = signals.next() => {}
    }

    readiness.drain();
    tracing::info!(streams = runtimes.streams(), "draining");
    let hurried = tokio::select! {
        ended = runtimes.accept(&listener) => return Err(ended),
        () = sleep(plan.window) => false,
        _ = signals.next() => true,
    };

    drop(listener);
    let deadline = if hurried { Duration::ZERO } else { plan.timeout };
    let left = runtimes
        .finish(async {
            tokio::select! {
                () = sleep(deadline) => {}
                _ = signals.next() => {}
            }
        })
        .await;
    match left {
        0 => tracing::info!("drained"),
        left => tracing::warn!(streams = left, "ending with streams under way"),
    }
    Ok(left)
}
