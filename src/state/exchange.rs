//! What the replicas of one pool tell each other: the messages, what feeds them, and what comes of them here.
//!
//! ```text
//!   pick --Outbox--> Teller --encode--> bytes --(a transport)--> decode --> Inbox --> LoadCell (others' load)
//!         blocks,      and all of this                                            --> PrefixIndex
//!         bindings     replica's load                                             --> Sessions
//! ```
//!
//! Pure: nothing here waits, reads a clock or knows how bytes travel. [`Outbox`] is shared with all picks;
//! [`Teller`] and [`Inbox`] belong to the one task that exchanges. Load is told whole each time, so that a lost
//! update heals with the next; blocks and bindings as they come, and whole chains again after any of them was lost.

mod clock;
mod inbox;
mod outbox;
mod peers;
mod teller;
mod wire;

pub use clock::{HybridClock, Stamp};
pub use inbox::{Heard, Inbox, Tables};
pub use outbox::Outbox;
pub use peers::{Peer, SILENCE};
pub use teller::{HEARTBEAT, Keys, Teller};
pub use wire::{MAX_BYTES, Undecodable, decode, encode};
