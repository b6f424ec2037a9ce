//! What runs in an engine: prompts that are being computed, and answers that are being generated.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::simulation::{BlockHash, Hold};

use super::Request;

/// A prompt that is being computed.
#[derive(Debug)]
pub struct Prefill {
    pub request: Request,
    pub chain: Vec<BlockHash>,
    pub hold: Hold,
    pub cached_tokens: u64,
    /// Tokens of it that are in the cache, found there or computed.
    pub done: u64,
    /// Tokens that the step under way computes.
    pub chunk: u64,
}

/// An answer that is being generated.
#[derive(Debug)]
pub struct Decode {
    pub request: Request,
    pub hold: Hold,
}

/// All answers of one engine, by the step that ends them. Each step gives every one of them a token, so a count of
/// steps is all that changes.
#[derive(Debug, Default)]
pub struct Decodes {
    steps: u64,
    /// When each ends, counted in steps, and its number.
    endings: BinaryHeap<Reverse<(u64, u64)>>,
    running: HashMap<u64, Decode, ahash::RandomState>,
    context: u64,
}

impl Prefill {
    /// Takes as much of `budget` as is left to compute; returns that.
    pub fn take(&mut self, budget: u64) -> u64 {
        self.chunk = (self.request.input_tokens - self.done).min(budget);
        self.chunk
    }
}

impl Decodes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Tokens of context of all of them.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// Begins one that has its first token and needs more.
    pub fn push(&mut self, decode: Decode) {
        let Request { number, input_tokens, output_tokens, .. } = decode.request;
        self.context += input_tokens + 1;
        self.endings.push(Reverse((self.steps + output_tokens - 1, number)));
        self.running.insert(number, decode);
    }

    /// All of them, by number.
    pub fn into_all(self) -> Vec<Decode> {
        let mut all: Vec<_> = self.running.into_values().collect();
        all.sort_by_key(|decode| decode.request.number);
        all
    }

    /// Steps until the next of them ends; `None` if there are none.
    pub fn steps_to_next_end(&self) -> Option<u64> {
        self.endings.peek().map(|Reverse((ends, _))| ends - self.steps)
    }

    /// So many steps have ended.
    pub fn advance(&mut self, steps: u64) {
        self.steps += steps;
        self.context += steps * self.running.len() as u64;
    }

    /// Takes out one that has all its tokens.
    pub fn pop_ended(&mut self) -> Option<Decode> {
        let Reverse((_, number)) = *self.endings.peek().filter(|Reverse((ends, _))| *ends <= self.steps)?;
        self.endings.pop();
        let decode = self.running.remove(&number)?;
        self.context -= decode.request.input_tokens + decode.request.output_tokens;
        Some(decode)
    }
}
