//! What one conversation says, turn by turn.

use serde::Serialize;

use super::{Conversation, Shape};
use crate::simulation::prompt::Prompt;
use crate::simulation::words::Words;

/// A conversation's messages so far.
#[derive(Clone, Debug)]
pub struct Dialogue {
    messages: Vec<Message>,
    seed: u64,
    number: u64,
    asked: u32,
    turns: u32,
    question_tokens: u64,
    bytes_per_token: usize,
}

/// One message, as the OpenAI API writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// Its text.
    pub content: String,
}

impl Dialogue {
    pub(super) fn new(shape: &Shape, seed: u64, conversation: &Conversation, bytes_per_token: usize) -> Self {
        let Conversation { number, system, past_turns, turns, joins: _ } = *conversation;
        let text = |name: String, tokens| Words::seeded(name.as_bytes(), bytes_per_token).text(tokens);
        let content = text(format!("system {system} of {seed}"), shape.system_tokens);
        let messages = vec![Message { role: "system", content }];
        let question_tokens = shape.question_tokens;
        let mut dialogue = Self { messages, seed, number, asked: 0, turns, question_tokens, bytes_per_token };
        for turn in 0..past_turns {
            dialogue.ask();
            dialogue.answered(text(format!("answer {turn} in {number} of {seed}"), shape.answer_tokens));
        }
        dialogue
    }

    /// Adds the next question; false when all have been asked.
    pub fn ask(&mut self) -> bool {
        let Self { seed, number, asked, turns, .. } = *self;
        if asked == turns {
            return false;
        }
        let name = format!("question {asked} in {number} of {seed}");
        let content = Words::seeded(name.as_bytes(), self.bytes_per_token).text(self.question_tokens);
        self.messages.push(Message { role: "user", content });
        self.asked += 1;
        true
    }

    /// Adds the answer to the last question.
    pub fn answered(&mut self, content: String) {
        self.messages.push(Message { role: "assistant", content });
    }

    /// The messages so far, oldest first.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The text that an engine sees.
    pub fn render(&self) -> Vec<u8> {
        let mut prompt = Prompt::default();
        for Message { role, content } in &self.messages {
            prompt.turn(role, &[content]);
        }
        prompt.finish()
    }
}
