//! A request as the picker sees it: facts borrowed from the stream, nothing owned.

use std::time::{Instant, SystemTime};

use super::session::SessionSource;

/// The moment of an event, on both clocks; read once at the edge and passed down.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For intervals and deadlines.
    pub instant: Instant,
    /// For people and for other processes.
    pub wall: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }
}

/// What a pick may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The gateway's `x-request-id`, by which people find the decision again.
    pub id: Option<&'a str>,
    /// A valid session id, from the client or generated.
    pub session_id: Option<&'a str>,
    /// Where that id came from.
    pub session_source: SessionSource,
    /// The prompt, where the body was read and understood.
    pub prompt: Option<Prompt<'a>>,
    /// Bytes of a body that was not read, if known.
    pub unread_bytes: Option<u64>,
}

/// The parts of a body that decide which blocks of KV cache it needs.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// The model or LoRA adapter that the body names; empty where it names none.
    pub model: &'a str,
    /// The prompt's bytes in the order in which engines render them: tools, then messages or prompt.
    pub parts: [&'a [u8]; 2],
    /// Whether the answer is asked for as a stream, so that its first byte marks the end of prefill.
    pub streams: bool,
}

impl Prompt<'_> {
    /// Bytes of all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Whether there is nothing to hash.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
