//! Engines without a GPU: a model of prefix cache, prefill and decode, and what people run on it.
//!
//! [`Engine`] is the model and knows no clock but the one it is given, so it runs in real time behind
//! [`EngineServer`] (`homing engine`) and in virtual time wherever a workload is only calculated.

mod blocks;
mod cache;
mod constants;
mod engine;
mod job;
mod prompt;
mod server;
mod words;
pub mod workload;

pub use blocks::BlockHash;
pub use cache::{Hold, PrefixCache};
pub use constants::Constants;
pub use engine::{Engine, Event, FirstToken, JobId, Totals};
pub use job::{Job, TooLong};
pub use server::{EngineServer, Identity};
