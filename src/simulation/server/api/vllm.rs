//! vLLM's own API, `/inference/v1/generate`: token ids in, token ids out.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, Facts, Reply, StreamOptions, completions, sse, token_ids};
use crate::simulation::server::generation::{Answer, Piece, Usage};

/// Tokens of an answer where `sampling_params` leave it open.
const DEFAULT_OUTPUT_TOKENS: u64 = 16;

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    request_id: Option<String>,
    token_ids: Vec<u64>,
    sampling_params: SamplingParams,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct SamplingParams {
    max_tokens: Option<u64>,
}

struct Generate {
    facts: Facts,
    id: String,
    with_usage: bool,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let Request { model, request_id, token_ids, sampling_params, stream, stream_options } =
        serde_json::from_slice(body)?;
    let with_usage = stream_options.unwrap_or_default().include_usage;
    Ok(Asked {
        model,
        prompts: vec![token_ids::to_text(&token_ids, facts.bytes_per_token)],
        output: Some(sampling_params.max_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS)),
        streams: stream == Some(true),
        reply: Box::new(Generate { id: request_id.unwrap_or_else(|| facts.unique.clone()), facts, with_usage }),
    })
}

// === impl Generate ===

impl Generate {
    fn choice(&self, text: &str, finish: Option<&str>) -> Value {
        let ids = token_ids::of_text(text, self.facts.bytes_per_token);
        json!({"index": 0, "token_ids": ids, "logprobs": null, "finish_reason": finish})
    }
}

impl Reply for Generate {
    fn whole(&mut self, answers: Vec<Answer>, usage: Usage) -> Value {
        let Facts { model, now, .. } = &self.facts;
        let choices: Vec<Value> = answers.iter().map(|answer| self.choice(&answer.text, Some("length"))).collect();
        json!({"request_id": self.id, "model": model, "created": now, "choices": choices,
               "usage": completions::usage(usage), "prompt_logprobs": null, "kv_transfer_params": null})
    }

    fn token(&mut self, piece: &Piece, _usage: Usage) -> String {
        let choice = self.choice(&piece.text, piece.is_last.then_some("length"));
        sse::data(&json!({"request_id": self.id, "choices": [choice]}))
    }

    fn end(&mut self, usage: Usage) -> String {
        let last = json!({"request_id": self.id, "choices": [], "usage": completions::usage(usage)});
        let last = if self.with_usage { sse::data(&last) } else { String::new() };
        last + sse::DONE
    }
}
