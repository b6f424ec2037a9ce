//! OpenAI's completions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::prompts::Prompts;
use super::{Asked, Facts, Reply, StreamOptions, sse};
use crate::simulation::server::generation::{Answer, Piece, Usage};

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    prompt: Prompts,
    max_tokens: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

struct Completions {
    facts: Facts,
    with_usage: bool,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let Request { model, prompt, max_tokens, stream, stream_options } = serde_json::from_slice(body)?;
    let with_usage = stream_options.unwrap_or_default().include_usage;
    Ok(Asked {
        model,
        prompts: prompt.into_texts(facts.bytes_per_token),
        output: max_tokens,
        streams: stream == Some(true),
        reply: Box::new(Completions { facts, with_usage }),
    })
}

/// Usage in OpenAI's older words.
pub fn usage(usage: Usage) -> Value {
    let Usage { prompt, completion, cached } = usage;
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
           "prompt_tokens_details": {"cached_tokens": cached}})
}

// === impl Completions ===

impl Completions {
    fn document(&self, choices: &[Value]) -> Value {
        let Facts { model, unique, now, .. } = &self.facts;
        let id = format!("cmpl-{unique}");
        json!({"id": id, "object": "text_completion", "created": now, "model": model, "choices": choices})
    }
}

impl Reply for Completions {
    fn whole(&mut self, answers: Vec<Answer>, used: Usage) -> Value {
        let choice = |(index, Answer { text, .. })| json!({"index": index, "text": text, "logprobs": null, "finish_reason": "length"});
        let choices: Vec<Value> = answers.into_iter().enumerate().map(choice).collect();
        let mut document = self.document(&choices);
        document["usage"] = usage(used);
        document
    }

    fn token(&mut self, piece: &Piece, _usage: Usage) -> String {
        let Piece { choice: index, text, is_last, .. } = piece;
        let finish = is_last.then_some("length");
        sse::data(&self.document(&[json!({"index": index, "text": text, "finish_reason": finish})]))
    }

    fn end(&mut self, used: Usage) -> String {
        let mut last = self.document(&[]);
        last["usage"] = usage(used);
        let last = if self.with_usage { sse::data(&last) } else { String::new() };
        last + sse::DONE
    }
}
