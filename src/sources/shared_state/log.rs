//! The log of one pool: a stream, each entry of which is one update.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::cmd;

use super::failure::Failure;
use super::link::Link;
use super::server::Server;
use super::window::Window;

/// The field of an entry that holds the update. Another version of the messages would have another, so that both can be
/// in one log.
const FIELD: &str = "v1";
/// Entries that are read at once: some 100 KB as a rule.
const AT_ONCE: usize = 64;
/// How long the doctor waits for an answer.
const LOOK: Duration = Duration::from_secs(2);

/// Where an entry is in the log: when it was written, by the server's clock, and which of that millisecond it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub millis: u64,
    pub number: u64,
}

/// One entry.
#[derive(Debug)]
pub struct Entry {
    pub id: Id,
    /// The update; nothing where the entry is something else.
    pub bytes: Option<Vec<u8>>,
}

/// What of the log is known to both who writes and who reads.
#[derive(Debug)]
pub struct Log {
    key: String,
    window: Mutex<Window>,
    /// From which millisecond on entries stay.
    begins: AtomicU64,
    /// The server's clock when it was last heard, in milliseconds.
    clock: Mutex<Option<(u64, Instant)>>,
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;
type Stream = (Vec<u8>, Vec<(String, Fields)>);

impl Log {
    /// The log of this group, of up to `limit` bytes.
    pub fn new(group: &str, limit: u64) -> Self {
        Self {
            key: key(group),
            window: Mutex::new(Window::new(limit)),
            begins: AtomicU64::new(0),
            clock: Mutex::default(),
        }
    }

    /// Writes an entry, and lets what is too old go.
    pub async fn append(&self, link: &mut Link, bytes: &[u8]) -> Result<(), Failure> {
        let mut command = cmd("XADD");
        command.arg(&self.key);
        let begins = self.begins.load(Relaxed);
        if begins > 0 {
            // Nearly: the server then drops whole nodes of its tree, which costs it nothing.
            command.arg("MINID").arg("~").arg(begins);
        }
        let id: String = link.ask(command.arg("*").arg(FIELD).arg(bytes)).await?;
        if let Some(id) = Id::parse(&id) {
            *self.clock.lock() = Some((id.millis, Instant::now()));
        }
        Ok(())
    }

    /// The last entry's place; before all others where there is none.
    pub async fn newest(&self, link: &mut Link) -> Result<Id, Failure> {
        let newest: Vec<(String, Fields)> =
            link.ask(cmd("XREVRANGE").arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1)).await?;
        Ok(newest.first().and_then(|(id, _)| Id::parse(id)).unwrap_or_default())
    }

    /// The entries that follow `after`, a few at once; waits for the first of them for up to `block`.
    pub async fn read(&self, link: &mut Link, after: Id, block: Duration) -> Result<Vec<Entry>, Failure> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(block.as_millis() as u64);
        let after = format!("{}-{}", after.millis, after.number);
        let streams: Option<Vec<Stream>> = link.ask(command.arg("STREAMS").arg(&self.key).arg(after)).await?;
        let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
        let entries: Vec<_> = entries.filter_map(|(id, fields)| Some(entry(Id::parse(&id)?, fields))).collect();
        let mut window = self.window.lock();
        entries.iter().for_each(|it| window.note(it.id.millis, it.bytes.as_ref().map_or(0, Vec::len)));
        self.begins.store(window.begins(), Relaxed);
        Ok(entries)
    }

    /// The log is another one, and empty.
    pub fn begins_again(&self) {
        self.window.lock().clear();
        self.begins.store(0, Relaxed);
    }

    /// How long ago an entry was written, as far as the server's clock is known.
    pub fn age(&self, id: Id) -> Option<Duration> {
        let (millis, at) = (*self.clock.lock())?;
        let now = millis + u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(Duration::from_millis(now.saturating_sub(id.millis)))
    }
}

/// What the doctor finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// How long the log took to answer.
    pub took: Duration,
    /// Entries in it.
    pub entries: u64,
}

/// Connects, reads the log of this group, and sees whether it may be written, without a change to it.
///
/// # Errors
/// Any of that fails.
pub async fn look(server: &Server, group: &str) -> Result<Looked, Failure> {
    let key = key(group);
    let mut link = server.connect(LOOK).await?;
    let began = Instant::now();
    let entries = link.ask(cmd("XLEN").arg(&key)).await?;
    let took = began.elapsed();
    // A write that finds nothing to do: nothing is older than the beginning of time.
    let _: i64 = link.ask(cmd("XTRIM").arg(&key).arg("MINID").arg("~").arg(0)).await?;
    Ok(Looked { took, entries })
}

/// In braces, so that a cluster keeps all of one pool together.
fn key(group: &str) -> String {
    format!("homing:{{{group}}}:news")
}

fn entry(id: Id, fields: Fields) -> Entry {
    let update = fields.into_iter().find(|(name, _)| name == FIELD.as_bytes());
    Entry { id, bytes: update.map(|(_, bytes)| bytes) }
}

impl Id {
    fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        Some(Self { millis: millis.parse().ok()?, number: number.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_numbers() {
        let parsed = ["5-1", "5-10", "12-0"].map(|text| Id::parse(text).expect("an id"));
        assert!(parsed.is_sorted());
        assert_eq!(["", "5", "a-1", "5-", "-1"].map(Id::parse), [None; 5]);
    }

    #[test]
    fn an_entry_of_another_kind_is_passed_over_and_one_of_two_versions_read() {
        let field = |name: &str| (name.as_bytes().to_vec(), b"u".to_vec());
        assert_eq!(entry(Id::default(), vec![field("v2")]).bytes, None);
        assert_eq!(entry(Id::default(), vec![field("v2"), field("v1")]).bytes.as_deref(), Some(&b"u"[..]));
    }

    #[test]
    fn age_is_by_the_servers_clock() {
        let log = Log::new("g", 1);
        assert_eq!((log.key.as_str(), log.age(Id::default())), ("homing:{g}:news", None));
        *log.clock.lock() = Some((5_000, Instant::now()));
        assert!(log.age(Id { millis: 4_000, number: 0 }).is_some_and(|age| age >= Duration::from_secs(1)));
        assert_eq!(log.age(Id { millis: u64::MAX, number: 0 }), Some(Duration::ZERO));
    }
}
