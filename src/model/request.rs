//! A request as the picker sees it: facts borrowed from the stream, nothing owned.

use std::time::{Instant, SystemTime};

use super::session::SessionHint;
use super::subset::Subset;

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
    /// What it says of its session.
    pub session: SessionHint<'a>,
    /// The endpoints that the gateway allows; `None` allows all.
    pub subset: Option<&'a Subset>,
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
    /// What separates this client's blocks from those of others in the engine (`cache_salt`); empty where it
    /// names none.
    pub salt: &'a str,
    /// The prompt in the order in which engines render it: tools, then system, then messages or prompt.
    pub parts: &'a [Part<'a>],
    /// What its bytes stand for.
    pub unit: Unit,
    /// Whether the answer is asked for as a stream, so that its first byte marks the end of prefill.
    pub streams: bool,
}

/// A piece of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Bytes as the client wrote them.
    Bytes(&'a [u8]),
    /// An image, a recording, a film or a file: the hash of its data or of its address. It counts a fixed
    /// number of tokens, whatever its size.
    Media(u64),
}

/// What a prompt's bytes stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Text: bytes per token are learned.
    #[default]
    Text,
    /// Text to which the engine adds what it holds of the conversation: it tells nothing of bytes per token.
    Excerpt,
    /// Token ids of [`TOKEN_ID_BYTES`] each.
    TokenIds,
}

/// Bytes of one token id, in little endian.
pub const TOKEN_ID_BYTES: usize = 4;

impl Prompt<'_> {
    /// Bytes of all parts; each medium counts as `media_bytes`.
    pub fn len(&self, media_bytes: usize) -> usize {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Bytes(bytes) => bytes.len(),
                Part::Media(_) => media_bytes,
            })
            .sum()
    }

    /// Whether it says how many bytes make a token: only plain text does, whose tokens are all its own.
    pub fn is_telling(&self) -> bool {
        self.unit == Unit::Text && self.parts.iter().all(|part| matches!(part, Part::Bytes(_)))
    }
}
