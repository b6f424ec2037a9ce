//! One request's answers while they come: queued jobs, then tokens at their times.

use tokio::time::Instant;

use super::clockwork::{Clockwork, Running};
use crate::simulation::constants::Constants;
use crate::simulation::job::{Job, TooLong};
use crate::simulation::words::Words;
use std::sync::Arc;

/// The answers to all prompts of one request; dropping it aborts what is not finished.
pub struct Generation {
    answers: Vec<Answering>,
    constants: Constants,
    output_tokens: u64,
    /// The answer that is being told; they are told one after the other.
    current: usize,
    told: u64,
}

struct Answering {
    running: Running,
    answer: Words,
    prompt: Share,
    /// When its first token was there.
    first: Option<Instant>,
}

/// A whole answer.
pub struct Answer {
    pub text: String,
    /// What it answers.
    pub prompt: Share,
}

/// One prompt of a request, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub tokens: u64,
    /// Of these, held by the cache; 0 until its prefill has ended.
    pub cached: u64,
}

/// A piece of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which prompt it answers.
    pub choice: usize,
    pub text: String,
    pub is_first: bool,
    pub is_last: bool,
    /// What it answers.
    pub prompt: Share,
}

/// What a request has used, in tokens.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub prompt: u64,
    pub completion: u64,
    pub cached: u64,
}

// === impl Generation ===

impl Generation {
    /// Queues a job for each prompt.
    ///
    /// # Errors
    /// When one of them does not fit into the cache; none is queued then.
    pub fn start(clockwork: &Arc<Clockwork>, prompts: Vec<Vec<u8>>, output_tokens: u64) -> Result<Self, TooLong> {
        let constants = clockwork.read(|engine| *engine.constants());
        let mut jobs = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let answer = Words::seeded(&prompt, constants.bytes_per_token);
            jobs.push((Job::new(prompt, output_tokens, &constants)?, answer));
        }
        let queue = |(job, answer): (Job, Words)| {
            let prompt = Share { tokens: job.prompt_tokens, cached: 0 };
            Answering { running: clockwork.submit(job), answer, prompt, first: None }
        };
        let answers = jobs.into_iter().map(queue).collect();
        Ok(Self { answers, constants, output_tokens, current: 0, told: 0 })
    }

    /// Waits for the next token; `None` after the last one of the last answer.
    pub async fn next_token(&mut self) -> Option<Piece> {
        let choice = self.current;
        let answering = self.answers.get_mut(choice)?;
        let first = match answering.first {
            Some(first) => first,
            None => {
                let prefilled = answering.running.prefilled().await?;
                answering.prompt.cached = prefilled.cached_tokens;
                *answering.first.insert(prefilled.at)
            }
        };
        let index = self.told;
        tokio::time::sleep_until(first + self.constants.decode(index + 1)).await;
        self.told += 1;
        let is_last = self.told == self.output_tokens;
        let text = answering.answer.token(index);
        let prompt = answering.prompt;
        if is_last {
            self.current += 1;
            self.told = 0;
        }
        Some(Piece { choice, text, is_first: index == 0, is_last, prompt })
    }

    /// Waits for everything; returns the answers in the order of the prompts.
    pub async fn complete(&mut self) -> Vec<Answer> {
        let mut texts = vec![String::new(); self.answers.len()];
        while let Some(piece) = self.next_token().await {
            texts[piece.choice].push_str(&piece.text);
        }
        let answer = |(text, answering): (String, &Answering)| Answer { text, prompt: answering.prompt };
        texts.into_iter().zip(&self.answers).map(answer).collect()
    }

    /// What the whole request uses; complete once the last answer has begun.
    pub fn usage(&self) -> Usage {
        Usage {
            prompt: self.answers.iter().map(|answer| answer.prompt.tokens).sum(),
            completion: self.output_tokens * self.answers.len() as u64,
            cached: self.answers.iter().map(|answer| answer.prompt.cached).sum(),
        }
    }
}

/// The text of all answers together.
pub fn text_of(answers: &[Answer]) -> String {
    answers.iter().map(|answer| answer.text.as_str()).collect()
}
