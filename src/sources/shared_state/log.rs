//! The log of one pool: a stream, each entry of which is one update.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::cmd;

use super::failure::Failure;
use super::id::Id;
use super::link::Link;
use super::server::Server;
use super::window::Window;

/// The field of an entry that holds the update. Another version of the messages would have another, so that both can be
/// in one log.
const FIELD: &str = "v1";
/// Seconds after which a log that nobody writes any more is gone: a pool that was deleted leaves nothing behind.
const ABANDONED: u64 = 60 * 60;
/// Entries that stay where the server has no memory left.
const LEAST: usize = 100;
/// How long the doctor waits for an answer.
const LOOK: Duration = Duration::from_secs(2);

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
    /// What was written here last, which tells the server's clock, and when.
    written: Mutex<Option<(Id, Instant)>>,
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;
type Stream = (Vec<u8>, Vec<(String, Fields)>);

impl Log {
    /// The log of this group, of up to `limit` bytes.
    pub fn new(group: &str, limit: u64) -> Self {
        Self { key: key(group), window: Mutex::new(Window::new(limit)), written: Mutex::default() }
    }

    /// Writes an entry, and lets what is too old go.
    pub async fn append(&self, link: &mut Link, bytes: &[u8]) -> Result<(), Failure> {
        let mut command = cmd("XADD");
        command.arg(&self.key);
        let begins = self.window.lock().begins();
        if let Some(begins) = begins {
            // Nearly: the server then drops whole nodes of its tree, which costs it nothing.
            command.arg("MINID").arg("~").arg(begins.to_string());
        }
        let id: String = link.ask(command.arg("*").arg(FIELD).arg(bytes)).await?;
        if let Some(id) = Id::parse(&id) {
            *self.written.lock() = Some((id, Instant::now()));
        }
        Ok(())
    }

    /// The log goes on to be kept, for an hour.
    pub async fn keep(&self, link: &mut Link) -> Result<(), Failure> {
        link.ask(cmd("EXPIRE").arg(&self.key).arg(ABANDONED)).await
    }

    /// Lets nearly all of the log go, which a server may do that has no memory left.
    pub async fn shrink(&self, link: &mut Link) -> Result<(), Failure> {
        link.ask(cmd("XTRIM").arg(&self.key).arg("MAXLEN").arg("~").arg(LEAST)).await
    }

    /// The last entry's place; before all others where there is none.
    pub async fn newest(&self, link: &mut Link) -> Result<Id, Failure> {
        let newest: Vec<(String, Fields)> =
            link.ask(cmd("XREVRANGE").arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1)).await?;
        Ok(newest.first().and_then(|(id, _)| Id::parse(id)).unwrap_or_default())
    }

    /// The entries that follow `after`, but no more than `count`; waits for the first of them for up to `block`.
    pub async fn read(&self, link: &mut Link, after: Id, count: usize, block: Duration) -> Result<Vec<Entry>, Failure> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(count).arg("BLOCK").arg(block.as_millis() as u64);
        let streams: Option<Vec<Stream>> =
            link.ask(command.arg("STREAMS").arg(&self.key).arg(after.to_string())).await?;
        let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
        let entries: Vec<_> = entries.filter_map(|(id, fields)| Some(entry(Id::parse(&id)?, fields))).collect();
        let mut window = self.window.lock();
        entries.iter().for_each(|it| window.note(it.id, it.bytes.as_ref().map_or(0, Vec::len)));
        Ok(entries)
    }

    /// Whether this entry is still there.
    pub async fn has(&self, link: &mut Link, id: Id) -> Result<bool, Failure> {
        Ok(self.after(link, id.before()).await? == Some(id))
    }

    /// Looks where the log begins, whoever let go what was there; returns whether others would miss it.
    pub async fn look_at_its_beginning(&self, link: &mut Link) -> Result<bool, Failure> {
        let first = self.after(link, Id::default()).await?;
        Ok(self.window.lock().starts_at(first))
    }

    /// The place of the first entry behind `id`.
    async fn after(&self, link: &mut Link, id: Id) -> Result<Option<Id>, Failure> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(1).arg("STREAMS").arg(&self.key).arg(id.to_string());
        let streams: Option<Vec<Stream>> = link.ask(&command).await?;
        let first = streams.into_iter().flatten().flat_map(|(_, entries)| entries).next();
        Ok(first.and_then(|(id, _)| Id::parse(&id)))
    }

    /// How far back the log reaches, once something had to go.
    pub fn reach(&self) -> Option<Duration> {
        self.window.lock().reach()
    }

    /// What was written here last, and when.
    pub fn written(&self) -> Option<(Id, Instant)> {
        *self.written.lock()
    }

    /// How long ago an entry was written, as far as the server's clock is known.
    pub fn age(&self, id: Id) -> Option<Duration> {
        let (written, at) = self.written()?;
        let now = written.millis + u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
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

#[cfg(test)]
mod tests {
    use super::*;

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
        *log.written.lock() = Some((Id { millis: 5_000, number: 3 }, Instant::now()));
        assert!(log.age(Id { millis: 4_000, number: 0 }).is_some_and(|age| age >= Duration::from_secs(1)));
        assert_eq!(log.age(Id { millis: u64::MAX, number: 0 }), Some(Duration::ZERO));
    }
}
