//! Which endpoint costs least: pure arithmetic in prompt tokens.
//!
//! [`picker::pick`] is the one entry; only `crate::pick` calls it. Nothing here waits, locks, reads a
//! clock or knows of Envoy. A new scorer is one file in `scorers/`, one variant of
//! [`crate::config::ScorerKind`] and one arm in [`registry`].

mod context;
pub mod picker;
pub mod registry;
pub mod rendezvous;
mod scorers;

pub use context::{Candidate, PickContext};
pub use picker::{Pick, Scored};
pub use registry::Scorers;
