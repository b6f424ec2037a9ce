//! What the picker remembers between requests.
//!
//! ```text
//!   sources --PoolWriter--> PoolSnapshot --PoolReader--> pick
//!                             Member = Endpoint + LoadCell (bookings, failures, speed, its adapters)
//!                                     + Lane (its blocks)
//!   PrefixIndex  block hash -> who holds it        Sessions  digest -> home
//!   Estimates    learned means                     DecisionLog  the last explanations
//!   KnownAdapters  names that engines reported
//! ```
//!
//! `exchange/` holds what replicas of one pool tell each other of all this.
//!
//! Readers and writers are different types; a pick takes no lock that a writer can hold for long.
//! Clocks are arguments.

mod adapters;
mod average;
mod decisions;
mod estimates;
mod exchange;
mod failures;
mod foreign;
mod ledger;
mod load;
mod others;
mod pool;
mod prefix;
mod said;
mod sessions;

pub use adapters::{KnownAdapters, LoadedAdapters};
pub use decisions::DecisionLog;
pub use estimates::Estimates;
pub use exchange::{
    HEARTBEAT, Heard, HybridClock, Inbox, Keys, MAX_BYTES, Outbox, Peer, SILENCE, Stamp, Tables, Teller, Undecodable,
    decode, encode,
};
pub use failures::Outcome;
pub use ledger::Booking;
pub use load::LoadCell;
pub use others::Sent;
pub use pool::{Member, PoolReader, PoolSnapshot, PoolWriter, pool};
pub use prefix::{Chain, Lane, MergeBudget, PrefixIndex, PrefixScratch, Tail, cut_key, hash_prompt};
pub use said::LastSaid;
pub use sessions::{PromptLength, Session, SessionClass, SessionDigest, Sessions};
