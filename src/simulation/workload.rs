//! The demo's workload: conversations that share system prompts, the same for every policy.
//!
//! [`Workload`] says who speaks when, from a seed alone; a [`Dialogue`] holds what one of them says.
//! Both are plain data, so a client can run them in real time and a test in virtual time.

mod dialogue;

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};
use rand_pcg::Pcg64Mcg;

pub use dialogue::{Dialogue, Message};

/// What round robin can carry on six engines of [`super::Constants::default`], in conversations a second.
///
/// Found in virtual time, by raising the rate in steps of 0.5: at 5.5 the mean time to first token stays
/// near 1 s for as long as the run lasts, at 6.0 it grows without end. The test
/// `round_robin_carries_what_is_written_and_no_more` finds it again.
pub const ROUND_ROBIN_CARRIES: f64 = 5.5;

/// The numbers of a workload.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Different system prompts.
    pub system_prompts: u32,
    /// Tokens of each.
    pub system_tokens: u64,
    /// How unevenly they are used: the n-th is chosen in proportion to n to the power of minus this.
    pub zipf: f64,
    /// Questions in a conversation, all lengths equally likely.
    pub turns: RangeInclusive<u32>,
    /// Tokens of a question.
    pub question_tokens: u64,
    /// Tokens of an answer.
    pub answer_tokens: u64,
    /// From an answer's end to the next question.
    pub thinking: Duration,
    /// From one question to the next as far as that can be foretold; only says where the conversations
    /// stand that began before the run.
    pub turn_time: Duration,
    /// Conversations that start in a second, as a Poisson process.
    pub starts_per_second: f64,
}

/// A seeded plan of conversations.
#[derive(Clone, Debug)]
pub struct Workload {
    shape: Shape,
    seed: u64,
    conversations: Vec<Conversation>,
}

/// When one conversation joins, and what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversation {
    /// Its number within the workload.
    pub number: u64,
    /// When its first question of this run is asked.
    pub joins: Duration,
    /// Which system prompt it uses, from 0.
    pub system: u32,
    /// Questions that lie before this run, with their answers.
    pub past_turns: u32,
    /// Questions in all.
    pub turns: u32,
}

// === impl Shape ===

impl Default for Shape {
    /// The fixed workload of `homing demo`.
    fn default() -> Self {
        Self {
            system_prompts: 24,
            system_tokens: 2_000,
            zipf: 1.0,
            turns: 2..=10,
            question_tokens: 200,
            answer_tokens: 100,
            thinking: Duration::from_secs(3),
            // Thinking, 99 decode steps of 20 ms, and a little for the first token.
            turn_time: Duration::from_millis(5_200),
            starts_per_second: 0.6 * ROUND_ROBIN_CARRIES,
        }
    }
}

// === impl Workload ===

impl Workload {
    /// The conversations that ask something within `length`. The run begins in the middle of things:
    /// conversations that would have started before it join at the turn that they would have reached.
    pub fn new(shape: Shape, seed: u64, length: Duration) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let turn_time = shape.turn_time.as_secs_f64();
        let mut start = -turn_time * f64::from(*shape.turns.end());
        let mut conversations = Vec::new();
        // Both distributions exist for every shape with a positive rate and at least one system prompt.
        let (Ok(gaps), Ok(systems)) =
            (Exp::new(shape.starts_per_second), Zipf::new(f64::from(shape.system_prompts), shape.zipf))
        else {
            return Self { shape, seed, conversations };
        };
        for number in 0.. {
            start += gaps.sample(&mut random);
            let system = systems.sample(&mut random) as u32 - 1;
            let turns = random.random_range(shape.turns.clone());
            if start >= length.as_secs_f64() {
                break;
            }
            let past_turns = (-start / turn_time).ceil().max(0.0);
            let joins = Duration::from_secs_f64((start + past_turns * turn_time).max(0.0));
            let past_turns = past_turns as u32;
            if past_turns < turns {
                conversations.push(Conversation { number, joins, system, past_turns, turns });
            }
        }
        Self { shape, seed, conversations }
    }

    /// All conversations, in no particular order of joining.
    pub fn conversations(&self) -> &[Conversation] {
        &self.conversations
    }

    /// What one of them says.
    pub fn dialogue(&self, conversation: &Conversation, bytes_per_token: usize) -> Dialogue {
        Dialogue::new(&self.shape, self.seed, conversation, bytes_per_token)
    }

    /// The numbers that it was made with.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

#[cfg(test)]
mod tests;
