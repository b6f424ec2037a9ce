//! A request body that is kept until its pick.

use std::cell::RefCell;

use bytes::Bytes;

use super::answers::{BodyDone, BodyDue, Out, ToEndpoint};
use super::budget::Lease;

/// A thread's buffer for joined bodies is not kept beyond this size.
const KEPT_BUFFER_BYTES: usize = 4 << 20;

/// What a chunk takes beside its bytes; many small ones must not slip under the budget.
const CHUNK_OVERHEAD: u64 = 96;

thread_local! {
    static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Chunks as they came.
#[derive(Debug)]
pub struct KeptBody {
    chunks: Vec<Bytes>,
    bytes: u64,
    lease: Lease,
}

/// A chunk that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// This body is over its own limit.
    Body,
    /// All bodies together are over theirs.
    Budget,
}

impl KeptBody {
    /// An empty body on `lease`.
    pub fn new(lease: Lease) -> Self {
        Self { chunks: Vec::new(), bytes: 0, lease }
    }

    /// Keeps a chunk, or gives it back where that is over a limit.
    pub fn keep(&mut self, chunk: Bytes, body_limit: u64, budget_limit: u64) -> Result<(), (Full, Bytes)> {
        if chunk.is_empty() {
            return Ok(());
        }
        let bytes = chunk.len() as u64;
        if self.bytes + bytes > body_limit {
            return Err((Full::Body, chunk));
        }
        if !self.lease.grow(bytes + CHUNK_OVERHEAD, budget_limit) {
            return Err((Full::Budget, chunk));
        }
        self.bytes += bytes;
        self.chunks.push(chunk);
        Ok(())
    }

    /// Shows the whole body to `read`; copies only if it came in more than one chunk.
    pub fn read<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        match self.chunks.as_slice() {
            [] => read(&[]),
            [only] => read(only),
            chunks => JOINED.with_borrow_mut(|joined| {
                joined.clear();
                joined.reserve(chunks.iter().map(Bytes::len).sum());
                chunks.iter().for_each(|chunk| joined.extend_from_slice(chunk));
                let result = read(joined);
                if joined.capacity() > KEPT_BUFFER_BYTES {
                    *joined = Vec::new();
                }
                result
            }),
        }
    }

    /// Hands on all that was kept; more may follow. Its share of the budget lasts until that is sent.
    #[must_use]
    pub fn pass(self, due: &mut BodyDue<ToEndpoint>, out: &mut Out) -> Lease {
        for chunk in self.chunks {
            due.pass(out, chunk);
        }
        self.lease
    }

    /// Hands on all that was kept, the last of it flagged as the end.
    pub fn end(mut self, mut due: BodyDue<ToEndpoint>, out: &mut Out) -> (BodyDone<ToEndpoint>, Lease) {
        let last = self.chunks.pop().unwrap_or_default();
        let lease = self.pass(&mut due, out);
        (due.end(out, last), lease)
    }
}
