//! What clients get: OpenAI's answers, whole or as server-sent events.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use super::api::Api;
use super::generation::{Piece, Usage};

/// What all messages of one answer share.
pub struct Envelope {
    api: Api,
    id: String,
    created: u64,
    model: String,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

/// The last event of every stream.
pub const DONE: &str = "data: [DONE]\n\n";

// === impl Envelope ===

impl Envelope {
    pub fn new(api: Api, model: &str) -> Self {
        let prefix = match api {
            Api::Chat => "chatcmpl",
            Api::Completions => "cmpl",
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let id = format!("{prefix}-{}", uuid::Uuid::new_v4().simple());
        Self { api, id, created: now.as_secs(), model: model.to_owned() }
    }

    /// The whole answer as one JSON object.
    pub fn whole(&self, texts: Vec<String>, usage: Usage) -> String {
        let choices = texts.into_iter().enumerate().map(|(index, text)| match self.api {
            Api::Chat => json!({"index": index, "message": {"role": "assistant", "content": text}, "logprobs": null,
                                "finish_reason": "length"}),
            Api::Completions => json!({"index": index, "text": text, "logprobs": null, "finish_reason": "length"}),
        });
        let object = match self.api {
            Api::Chat => "chat.completion",
            Api::Completions => "text_completion",
        };
        self.message(object, choices.collect(), Some(usage))
    }

    /// The events for one token; a chat begins with an event that names the role.
    pub fn events(&self, piece: &Piece) -> String {
        let finish = piece.is_last.then_some("length");
        let Piece { choice: index, text, .. } = piece;
        match self.api {
            Api::Completions => self.event(json!({"index": index, "text": text, "finish_reason": finish})),
            Api::Chat => {
                let token = self.event(json!({"index": index, "delta": {"content": text}, "finish_reason": finish}));
                if !piece.is_first {
                    return token;
                }
                let delta = json!({"role": "assistant", "content": ""});
                self.event(json!({"index": index, "delta": delta, "finish_reason": null})) + &token
            }
        }
    }

    /// The event after the last token of a client that asked for usage.
    pub fn usage_event(&self, usage: Usage) -> String {
        format!("data: {}\n\n", self.message(self.chunk_object(), Vec::new(), Some(usage)))
    }

    fn event(&self, choice: Value) -> String {
        format!("data: {}\n\n", self.message(self.chunk_object(), vec![choice], None))
    }

    fn chunk_object(&self) -> &'static str {
        match self.api {
            Api::Chat => "chat.completion.chunk",
            Api::Completions => "text_completion",
        }
    }

    fn message(&self, object: &'static str, choices: Vec<Value>, usage: Option<Usage>) -> String {
        let Self { id, created, model, .. } = self;
        let usage = usage.map(|Usage { prompt, completion, cached }| {
            json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                   "prompt_tokens_details": {"cached_tokens": cached}})
        });
        let message = Message { id, object, created: *created, model, choices, usage };
        serde_json::to_string(&message).unwrap_or_default()
    }
}
