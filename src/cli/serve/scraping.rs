//! The thread that asks the engines for their metrics.
//!
//! Reading the pages of thousands of engines takes a large share of a core. Beside probes and watches it would delay
//! them, so it has a thread for itself.

use std::sync::Arc;
use std::{io, thread};

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::config::ConfigReader;
use crate::pick::Picker;
use crate::sources::engine_metrics::{self, Heard, Target};
use crate::state::{Member, PoolReader};

/// The name of the thread.
const NAME: &str = "scrapes";

/// Asks every endpoint of the pool for its metrics, whoever is in it, to the end of the process.
///
/// # Errors
/// The thread or its reactor cannot be made.
pub fn start(pool: PoolReader, config: ConfigReader, picker: Arc<Picker>) -> io::Result<()> {
    on_a_thread(ask(pool, config, picker))
}

fn on_a_thread(asking: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(NAME.to_owned()).spawn(move || runtime.block_on(asking))?;
    Ok(())
}

async fn ask(mut pool: PoolReader, config: ConfigReader, picker: Arc<Picker>) {
    let (sender, targets) = watch::channel(targets(&pool));
    let asking = engine_metrics::run(targets, config, move |scrape| match &scrape.heard {
        Heard::Said(report) => picker.engine_said(scrape.id, Ok(report), scrape.sent),
        Heard::Failed(error) => picker.engine_said(scrape.id, Err(error.label()), scrape.sent),
        Heard::NotAsked => picker.engine_not_asked(scrape.id),
    });
    let following = async {
        loop {
            pool.changed().await;
            sender.send_replace(self::targets(&pool));
        }
    };
    tokio::join!(asking, following);
}

fn targets(pool: &PoolReader) -> Vec<Target> {
    let pool = pool.load();
    pool.members().iter().map(target).collect()
}

fn target(member: &Member) -> Target {
    Target { id: member.id, address: member.endpoint.address, http2: member.endpoint.http2 }
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
        on_a_thread(asking).expect("a thread");
        assert_eq!(receiver.await, Ok(Some(NAME.to_owned())));
    }
}
