//! The tasks that tell and hear, for as long as the process lives.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::failure::Failure;
use super::link::Link;
use super::log::{Id, Log};
use super::retry::Retry;
use super::server::Server;

/// How long an entry may take to be written: then the server hangs, and the connection is made anew.
const WRITE: Duration = Duration::from_secs(1);
/// How long one read waits for an entry. Each replica writes twice a second, so a read that finds nothing is rare.
const BLOCK: Duration = Duration::from_secs(1);
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
        let mut retry = Retry::default();
        loop {
            let Err(failure) = self.write(&mut retry).await;
            self.exchange.is(Side::Writing, Err(&failure));
            sleep(retry.next()).await;
        }
    }

    async fn write(&self, retry: &mut Retry) -> Result<Infallible, Failure> {
        let mut link = self.server.connect(WRITE).await?;
        let mut ticks = every(self.every);
        loop {
            ticks.tick().await;
            let Some(bytes) = self.exchange.tell() else { continue };
            if let Err(failure) = self.log.append(&mut link, &bytes).await {
                self.exchange.lost();
                return Err(failure);
            }
            self.exchange.arrived(bytes.len());
            self.exchange.is(Side::Writing, Ok(()));
            retry.reset();
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
        let (mut last, mut retry) = (Id::default(), Retry::default());
        loop {
            let Err(failure) = self.read(&mut last, &mut retry).await;
            self.exchange.is(Side::Reading, Err(&failure));
            sleep(retry.next()).await;
        }
    }

    /// Goes on after `last`; all that is there already is history.
    async fn read(&self, last: &mut Id, retry: &mut Retry) -> Result<Infallible, Failure> {
        let mut link = self.server.connect(BLOCK + WRITE).await?;
        let newest = self.log.newest(&mut link).await?;
        if newest < *last {
            // It was restarted, or another has taken its place, and knows less.
            *last = Id::default();
            self.log.begins_again();
        }
        while *last < newest {
            self.take(&mut link, last, newest).await?;
        }
        self.exchange.caught_up();
        self.exchange.is(Side::Reading, Ok(()));
        retry.reset();
        loop {
            self.take(&mut link, last, newest).await?;
        }
    }

    async fn take(&self, link: &mut Link, last: &mut Id, newest: Id) -> Result<(), Failure> {
        let entries = self.log.read(link, *last, BLOCK).await?;
        if entries.is_empty() && *last < newest {
            // What was there is gone: trimmed, or the key deleted.
            *last = newest;
        }
        for entry in entries {
            *last = entry.id;
            let is_history = entry.id <= newest;
            self.exchange.hear(News { bytes: entry.bytes.as_deref(), is_history, age: self.log.age(entry.id) });
            // Each may be the work of a millisecond, and probes are answered on this thread too.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once.
    ticks.reset_at(Instant::now());
    ticks
}
