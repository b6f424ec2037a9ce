//! Who holds which blocks of prompts: an approximate copy of every endpoint's KV cache.
//!
//! ```text
//!   prompt --hash_prompt--> Chain (one hash a block, each over all before it)
//!   PrefixIndex  table: block hash -> who holds it, a set of slots     read by picks
//!   Lane         one endpoint's blocks by age, up to its capacity      written after picks
//! ```
//!
//! Holding a block implies holding its ancestors: a chain is touched from its tail to its head, so that tails age before
//! heads, and what something follows is not taken back. So a lookup needs few blocks, not all.

mod chain;
mod index;
mod lane;
mod table;

pub use chain::{Chain, cut_key, hash_prompt};
pub use index::{Budget as MergeBudget, PrefixIndex, Scratch as PrefixScratch, Tail};
pub use lane::Lane;
