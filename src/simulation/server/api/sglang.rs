//! SGLang's own API, `/generate`: a text or token ids in, text and token ids out.
//!
//! An event of a stream tells the whole answer so far, not only what is new.

use serde::Deserialize;
use serde_json::{Value, json};

use super::prompts::Prompts;
use super::{Asked, Facts, Reply, sse, token_ids};
use crate::simulation::server::generation::{Answer, Piece, Share, Usage};

/// Tokens of an answer where `sampling_params` leave it open.
const DEFAULT_OUTPUT_TOKENS: u64 = 128;

#[derive(Deserialize)]
struct Request {
    /// Either this or `input_ids`.
    text: Option<Prompts>,
    input_ids: Option<Prompts>,
    #[serde(default)]
    sampling_params: SamplingParams,
    rid: Option<Value>,
    stream: Option<bool>,
}

#[derive(Default, Deserialize)]
struct SamplingParams {
    max_new_tokens: Option<u64>,
}

struct Generate {
    facts: Facts,
    rid: Option<Value>,
    /// One prompt gets one answer, a list of prompts gets a list.
    is_one: bool,
    /// What has been told of the answer that is being told.
    told: String,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let Request { text, input_ids, sampling_params, rid, stream } = serde_json::from_slice(body)?;
    let asked = text.or(input_ids).unwrap_or(Prompts::Texts(Vec::new()));
    let is_one = asked.is_one();
    Ok(Asked {
        model: None,
        prompts: asked.into_texts(facts.bytes_per_token),
        output: Some(sampling_params.max_new_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS)),
        streams: stream == Some(true),
        reply: Box::new(Generate { facts, rid, is_one, told: String::new() }),
    })
}

// === impl Generate ===

impl Generate {
    fn answer(&self, index: usize, text: &str, is_whole: bool, prompt: Share) -> Value {
        let ids = token_ids::of_text(text, self.facts.bytes_per_token);
        let finish = is_whole.then(|| json!({"type": "length", "length": ids.len()}));
        let id = match &self.rid {
            Some(Value::Array(ids)) => ids.get(index).cloned().unwrap_or_default(),
            Some(id) => id.clone(),
            None => json!(format!("{}-{index}", self.facts.unique)),
        };
        let mut answer = json!({"text": text, "output_ids": ids, "meta_info": {
            "id": id, "finish_reason": finish, "prompt_tokens": prompt.tokens, "cached_tokens": prompt.cached,
            "completion_tokens": ids.len(),
        }});
        if !self.is_one {
            answer["index"] = json!(index);
        }
        answer
    }
}

impl Reply for Generate {
    fn whole(&mut self, answers: Vec<Answer>, _usage: Usage) -> Value {
        let answer = |(index, Answer { text, prompt }): (usize, &Answer)| self.answer(index, text, true, *prompt);
        let mut answers: Vec<Value> = answers.iter().enumerate().map(answer).collect();
        if self.is_one { answers.pop().unwrap_or_default() } else { Value::Array(answers) }
    }

    fn token(&mut self, piece: &Piece, _usage: Usage) -> String {
        if piece.is_first {
            self.told.clear();
        }
        self.told += &piece.text;
        sse::data(&self.answer(piece.choice, &self.told, piece.is_last, piece.prompt))
    }

    fn end(&mut self, _usage: Usage) -> String {
        sse::DONE.to_owned()
    }
}
