//! The tasks that tell and hear, for as long as the process lives.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::metrics::SharingFailure;

use super::failure::Failure;
use super::id::Id;
use super::link::Link;
use super::log::Log;
use super::retry::Retry;
use super::server::Server;

/// How long an entry may take to be written: then the server hangs, and the connection is made anew.
const WRITE: Duration = Duration::from_secs(1);
/// How long one read waits for an entry. Each replica writes twice a second, so a read that finds nothing is rare.
const BLOCK: Duration = Duration::from_secs(1);
/// Entries that are read at once, as a rule some 100 KB; fewer where so many do not arrive in time.
const AT_ONCE: usize = 64;
/// How often the server is told to keep the log, and where it begins is looked at.
const KEEP: Duration = Duration::from_secs(60);
/// All is told again no more often, however short the log is.
const TELL_ALL: Duration = Duration::from_secs(5);
/// How often what is silent is forgotten.
const FORGET: Duration = Duration::from_millis(100);

/// How to share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the replicas of one pool have in common, and those of no other.
    pub group: String,
    /// How often to tell what is new.
    pub interval: Duration,
    /// Bytes that the log may have.
    pub log_bytes: u64,
}

/// One entry of the log.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// An update, of this replica too; nothing where the entry is something else.
    pub bytes: Option<&'a [u8]>,
    /// Whether it was there before this replica listened.
    pub is_history: bool,
    /// How long ago it was written; nothing as long as the server's clock is not known.
    pub age: Option<Duration>,
}

/// One direction of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This replica tells.
    Writing,
    /// This replica hears.
    Reading,
}

/// Who has something to tell, and listens. All of it is called on one thread, and must not take long.
pub trait Exchange {
    /// The bytes to tell now, if there are any.
    fn tell(&self) -> Option<Vec<u8>>;

    /// What was told last has arrived.
    fn arrived(&self, bytes: usize);

    /// What was told last has not arrived, as far as is known.
    fn lost(&self);

    /// Takes in an entry.
    fn hear(&self, news: News<'_>);

    /// Who joins from now on would not know what was told before: all is to be told again, bit by bit.
    fn tell_all_again(&self);

    /// All that was there when this replica came has been taken in.
    fn caught_up(&self);

    /// Called every 100 ms, whatever the connections do.
    fn forget_silent(&self);

    /// A side works from now on, or fails, again and again.
    fn is(&self, side: Side, outcome: Result<(), &Failure>);
}

/// Tells and hears until it is dropped.
pub async fn follow(server: &Server, settings: &Settings, exchange: &impl Exchange) -> Infallible {
    let log = Log::new(&settings.group, settings.log_bytes);
    let forgetting = async {
        let mut ticks = every(FORGET);
        loop {
            ticks.tick().await;
            exchange.forget_silent();
        }
    };
    let writing = Writing { server, log: &log, every: settings.interval, exchange };
    let reading = Reading { server, log: &log, exchange };
    let (never, _, _) = tokio::join!(forgetting, writing.run(), reading.run());
    never
}

struct Writing<'a, E> {
    server: &'a Server,
    log: &'a Log,
    every: Duration,
    exchange: &'a E,
}

impl<E: Exchange> Writing<'_, E> {
    async fn run(self) -> Infallible {
        let (mut retry, mut told_all) = (Retry::default(), Instant::now());
        loop {
            let Err(failure) = self.write(&mut retry, &mut told_all).await;
            self.exchange.is(Side::Writing, Err(&failure));
            sleep(retry.next()).await;
        }
    }

    async fn write(&self, retry: &mut Retry, told_all: &mut Instant) -> Result<Infallible, Failure> {
        let mut link = self.server.connect(WRITE).await?;
        let mut ticks = every(self.every);
        let mut kept = None::<Instant>;
        loop {
            ticks.tick().await;
            let Some(bytes) = self.exchange.tell() else { continue };
            if let Err(failure) = self.log.append(&mut link, &bytes).await {
                self.exchange.lost();
                if failure.kind == SharingFailure::OutOfMemory {
                    // What is ours may be what fills it, and a write that is refused trims nothing.
                    if let Err(failure) = self.log.shrink(&mut link).await {
                        tracing::debug!(%failure, "the log cannot be made smaller");
                    }
                    self.exchange.tell_all_again();
                }
                return Err(failure);
            }
            self.exchange.arrived(bytes.len());
            self.exchange.is(Side::Writing, Ok(()));
            retry.reset();
            if kept.is_none_or(|at| at.elapsed() >= KEEP) {
                kept = Some(Instant::now());
                if let Err(failure) = self.log.keep(&mut link).await {
                    tracing::debug!(%failure, "the log cannot be made to end with its last writer");
                }
                if self.log.look_at_its_beginning(&mut link).await? {
                    self.exchange.tell_all_again();
                }
            }
            // A chain whose beginning has left the log means nothing to who joins.
            if self.log.reach().is_some_and(|reach| told_all.elapsed() >= TELL_ALL.max(reach / 2)) {
                *told_all = Instant::now();
                self.exchange.tell_all_again();
            }
        }
    }
}

struct Reading<'a, E> {
    server: &'a Server,
    log: &'a Log,
    exchange: &'a E,
}

impl<E: Exchange> Reading<'_, E> {
    async fn run(self) -> Infallible {
        let (mut place, mut retry) = (Place::default(), Retry::default());
        loop {
            let Err(failure) = self.read(&mut place, &mut retry).await;
            if failure.kind == SharingFailure::Timeout {
                // One that does not arrive by itself is passed over.
                place.is_stuck = place.at_once == 1;
                place.at_once = (place.at_once / 2).max(1);
            }
            self.exchange.is(Side::Reading, Err(&failure));
            sleep(retry.next()).await;
        }
    }

    /// Goes on where it was; all that is there already is history.
    async fn read(&self, place: &mut Place, retry: &mut Retry) -> Result<Infallible, Failure> {
        let mut link = self.server.connect(BLOCK + WRITE).await?;
        let newest = self.log.newest(&mut link).await?;
        if place.last > Id::default() && !self.log.has(&mut link, place.last).await? {
            // It was restarted, or another has taken its place: who joins knows no more than what is there now. What it has
            // that is older than what was read was heard already.
            place.last = place.last.min(newest);
            self.log.look_at_its_beginning(&mut link).await?;
            self.exchange.tell_all_again();
        }
        if std::mem::take(&mut place.is_stuck) {
            place.last = newest;
        }
        while place.last < newest {
            self.take(&mut link, place, newest).await?;
        }
        self.exchange.caught_up();
        self.exchange.is(Side::Reading, Ok(()));
        retry.reset();
        loop {
            self.take(&mut link, place, newest).await?;
        }
    }

    async fn take(&self, link: &mut Link, place: &mut Place, newest: Id) -> Result<(), Failure> {
        let asked_at = Instant::now();
        let entries = self.log.read(link, place.last, place.at_once, BLOCK).await?;
        place.at_once = (place.at_once + 1).min(AT_ONCE);
        if entries.is_empty() && place.last < newest {
            // What was there is gone: trimmed, or the key deleted.
            place.last = newest;
        }
        if entries.is_empty() && self.log.written().is_some_and(|(id, at)| at > asked_at.into_std() && id < place.last)
        {
            let kind = SharingFailure::Other;
            return Err(Failure::new(kind, "the log begins anew, before what was read of it"));
        }
        for entry in entries {
            place.last = entry.id;
            let is_history = entry.id <= newest;
            self.exchange.hear(News { bytes: entry.bytes.as_deref(), is_history, age: self.log.age(entry.id) });
            // Each may be the work of a millisecond, and probes are answered on this thread too.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// How far the log was read.
struct Place {
    last: Id,
    /// Entries to read at once.
    at_once: usize,
    /// Whether the next one did not even arrive by itself.
    is_stuck: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self { last: Id::default(), at_once: AT_ONCE, is_stuck: false }
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once.
    ticks.reset_at(Instant::now());
    ticks
}
