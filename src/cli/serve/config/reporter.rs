//! Events on the ConfigMap, written one after the other and never more than anybody reads.
//!
//! [`Reporter::say`] is the one entry. Only the latest counts: what it replaces is not true any more.

use std::convert::Infallible;
use std::env;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::sources::kubernetes::{Cluster, Events, Located};

/// Events that may be written at once.
const BURST: u32 = 8;
/// After a burst one more may be written each time that this has passed.
const EACH: Duration = Duration::from_secs(15);
/// How long to wait after the first write that fails; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A right that is given later is noticed within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Takes what is wrong with the ConfigMap.
#[derive(Debug)]
pub struct Reporter(watch::Sender<Option<Report>>);

/// A Kubernetes Event to be written.
#[derive(Clone, Debug)]
pub struct Report {
    /// The ConfigMap.
    pub map: Located,
    /// What is wrong, in a word.
    pub reason: &'static str,
    /// The same for people.
    pub note: String,
}

/// When the next Events may be written: a bucket that refills.
#[derive(Debug)]
struct Allowance {
    /// When the bucket is full again.
    full: Instant,
}

// === impl Reporter ===

impl Reporter {
    /// Writes at `cluster`; the other half is what does it.
    pub fn new(cluster: &Cluster) -> (Self, impl Future<Output = Infallible> + use<>) {
        let (sender, latest) = watch::channel(None);
        // In a pod the host's name is the pod's.
        let instance = env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        let events = Events::new(cluster.clone(), instance.unwrap_or_else(|| "homing".to_owned()));
        (Self(sender), write(events, latest))
    }

    /// Writes nothing.
    #[cfg(test)]
    pub fn mute() -> Self {
        Self(watch::Sender::new(None))
    }

    /// What is to be written.
    #[cfg(test)]
    pub fn reason(&self) -> Option<&'static str> {
        self.0.borrow().as_ref().map(|report| report.reason)
    }

    /// Writes this next; `None` drops what has not been written yet.
    pub fn say(&self, report: Option<Report>) {
        self.0.send_replace(report);
    }
}

async fn write(mut events: Events, mut latest: watch::Receiver<Option<Report>>) -> Infallible {
    let mut allowance = Allowance::new(Instant::now());
    let mut failures = 0;
    loop {
        if failures == 0 {
            changed(&mut latest).await;
        } else {
            tokio::select! {
                () = sleep(pause(failures)) => {}
                () = changed(&mut latest) => failures = 0,
            }
        }
        if latest.borrow().is_some() {
            sleep_until(allowance.take(Instant::now())).await;
        }
        // Another may have taken its place meanwhile.
        let report = latest.borrow_and_update().clone();
        let written = match report {
            Some(Report { map, reason, note }) => events.warn(&map, reason, &note, failures == 0).await,
            None => true,
        };
        failures = if written { 0 } else { failures + 1 };
    }
}

/// Waits for another report; forever once nobody can make one.
async fn changed(latest: &mut watch::Receiver<Option<Report>>) {
    if latest.changed().await.is_err() {
        std::future::pending().await
    }
}

/// The wait after so many failures in a row, from 1.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_PAUSE)
}

// === impl Allowance ===

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { full: now }
    }

    /// Takes one; it may be used from the moment that is returned.
    fn take(&mut self, now: Instant) -> Instant {
        self.full = self.full.max(now) + EACH;
        (self.full - EACH * BURST).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_events_come_at_intervals() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let waits: Vec<u64> = (0..11).map(|_| (allowance.take(start) - start).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 15, 30, 45]);
        let later = start + Duration::from_secs(3600);
        let waits: Vec<u64> = (0..9).map(|_| (allowance.take(later) - later).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 15], "the bucket was full again, and no fuller");
    }

    #[test]
    fn a_write_that_fails_is_tried_again_less_and_less_often() {
        let pauses = [1, 2, 3, 7, u32::MAX].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [1, 2, 4, 60, 60]);
    }
}
