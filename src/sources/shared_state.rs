//! What the replicas of one pool tell each other, through a Valkey (or Redis) that keeps a log of it.
//!
//! ```text
//!   Exchange::tell -> write --XADD-->  one stream a pool, trimmed to a number of bytes  --XREAD--> read -> Exchange::hear
//! ```
//!
//! The log is the channel and the memory: who joins reads it from its beginning, and who was away from where it was.
//! Nothing on the way of a request waits here. Whatever fails is told to [`Exchange`], tried again, and heals: what
//! did not arrive is told with the next update.
//!
//! [`follow()`] is the one entry; [`look`] is what `homing doctor` asks.

mod failure;
mod follow;
mod id;
mod link;
mod log;
mod retry;
mod server;
mod window;

pub use failure::Failure;
pub use follow::{Exchange, News, Settings, Side, follow};
pub use log::{Looked, look};
pub use server::{Kind, Server};
