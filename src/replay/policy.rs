//! Who picks: Homing itself, and what it is compared with.
//!
//! A policy is told what a picker would be told, at the time at which it would be told. Only the bounds and the oracle
//! look into the engines.

mod bounds;
mod hash;
mod homing;
mod kind;
mod llm_d;
mod oracle;
mod several;
mod simple;
mod view;

use crate::model::Now;

use super::Seconds;
use super::engine::{Gauges, Request};
use super::trace::Arrival;

pub use kind::{CacheScope, Kind, Spec, SpecError};
pub use several::Several;
pub use view::View;

/// What a scrape of an engine says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Said {
    /// Its load.
    pub gauges: Gauges,
    /// Tokens in a block of the cache.
    pub block_tokens: u64,
    /// Blocks of the cache.
    pub blocks: usize,
}

/// What a policy knows before the first request.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How many engines there are.
    pub replicas: usize,
    /// The engines' block, in tokens, and how many of them an engine holds.
    pub block_tokens: u64,
    /// Blocks of one engine's cache.
    pub blocks: usize,
    /// Where all chance comes from.
    pub seed: u64,
    /// The moment at which virtual time begins.
    pub base: Now,
}

/// One way to pick.
pub trait Policy {
    /// The engine that is to serve `arrival`, by its number; `None` refuses it.
    fn pick(&mut self, arrival: &Arrival, view: &View<'_>, now: Seconds) -> Option<usize>;

    /// These engines, in the order of their numbers, are the pool from now on. Called before the first pick.
    fn pool(&mut self, members: &[usize], now: Seconds) {
        let _ = (members, now);
    }

    /// The request failed with its engine: its connection was lost, or refused if it is new.
    fn failed(&mut self, request: &Request, engine: usize, is_new: bool, now: Seconds) {
        let _ = is_new;
        self.finished(request, engine, now);
    }

    /// The engine took the request.
    fn accepted(&mut self, request: &Request, engine: usize, now: Seconds) {
        let _ = (request, engine, now);
    }

    /// The first byte of an answer came from `engine`.
    fn first_token(&mut self, request: &Request, engine: usize, now: Seconds) {
        let _ = (request, engine, now);
    }

    /// An answer of `engine` is complete.
    fn finished(&mut self, request: &Request, engine: usize, now: Seconds) {
        let _ = (request, engine, now);
    }

    /// A scrape of `engine` came in.
    fn scraped(&mut self, engine: usize, said: &Said, now: Seconds) {
        let _ = (engine, said, now);
    }
}
