//! Who asks what, and in which order: from a seed alone.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::arguments::Questions;
use crate::corpus::{Corpus, Kind};

/// Different system prompts, and their bytes: some 1,000 tokens.
const SYSTEMS: usize = 6;
const SYSTEM_BYTES: usize = 4500;
/// Conversations that are under way at once.
const ALIVE: usize = 14;
/// A conversation asks again only after so many requests of others.
const APART: usize = 6;

/// A seeded plan.
pub struct Plan {
    pub conversations: Vec<Conversation>,
    /// Whose turn it is, request by request.
    pub order: Vec<usize>,
}

/// One conversation.
pub struct Conversation {
    pub system: String,
    pub questions: Vec<String>,
}

// === impl Plan ===

impl Plan {
    /// `requests` requests of conversations that share system prompts; the first of these are used most.
    pub fn new(corpus: &Corpus, seed: u64, requests: usize, questions: Questions) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let systems: Vec<&str> = (0..SYSTEMS).map(|_| corpus.cut(Kind::Prose, SYSTEM_BYTES, &mut random)).collect();
        let mut conversations: Vec<Conversation> = Vec::new();
        let mut turns: Vec<usize> = Vec::new();
        let mut alive: Vec<usize> = Vec::new();
        let mut order: Vec<usize> = Vec::new();
        while order.len() < requests {
            while alive.len() < ALIVE {
                // The less of two: a system prompt is the more used the lower its number.
                let system = random.random_range(0..SYSTEMS).min(random.random_range(0..SYSTEMS));
                turns.push(random.random_range(3..=9));
                alive.push(conversations.len());
                conversations.push(Conversation { system: systems[system].to_owned(), questions: Vec::new() });
            }
            let place = random.random_range(0..alive.len());
            let number = alive[place];
            if order.iter().rev().take(APART).any(|other| *other == number) {
                continue;
            }
            let kind = if random.random_bool(0.5) { Kind::Prose } else { Kind::Code };
            let bytes = random.random_range(if questions.are_short_in(number) { 60..400 } else { 400..1500 });
            conversations[number].questions.push(corpus.cut(kind, bytes, &mut random).to_owned());
            order.push(number);
            if conversations[number].questions.len() == turns[number] {
                alive.swap_remove(place);
            }
        }
        Self { conversations, order }
    }
}

// === impl Questions ===

impl Questions {
    fn are_short_in(self, conversation: usize) -> bool {
        match self {
            Self::Short => true,
            Self::Long => false,
            Self::Mixed => conversation.is_multiple_of(2),
        }
    }
}
