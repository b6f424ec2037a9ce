//! OpenAI's responses.
//!
//! `previous_response_id` and `conversation` are accepted and said again. The history behind them is not
//! kept: the prompt is what the request holds.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::content::Content;
use super::{Asked, Facts, Reply, sse};
use crate::simulation::prompt::Prompt;
use crate::simulation::server::generation::{Answer, Piece, Usage, text_of};

#[derive(Deserialize)]
struct Request<'a> {
    model: Option<String>,
    input: Option<Input>,
    /// Rendered before the input.
    instructions: Option<String>,
    /// Rendered before everything, as they came.
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    max_output_tokens: Option<u64>,
    stream: Option<bool>,
    #[serde(default)]
    previous_response_id: Value,
    #[serde(default)]
    conversation: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Item>),
}

/// A message, which may leave its type out, or anything else.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Message { role: String, content: Content },
    Other(Value),
}

struct Responses {
    facts: Facts,
    previous: Value,
    conversation: Value,
    /// Whether the request said how long the answer may be, so that reaching that is no proper end.
    limited: bool,
    /// What has been told so far.
    told: String,
    events: u64,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let prompt = request.render(facts.bytes_per_token);
    let conversation = match request.conversation {
        Value::String(id) => json!({"id": id}),
        object => object,
    };
    let reply = Responses {
        facts,
        previous: request.previous_response_id,
        conversation,
        limited: request.max_output_tokens.is_some(),
        told: String::new(),
        events: 0,
    };
    Ok(Asked {
        model: request.model,
        prompts: vec![prompt],
        output: request.max_output_tokens,
        streams: request.stream == Some(true),
        reply: Box::new(reply),
    })
}

// === impl Request ===

impl Request<'_> {
    /// The text that the model would see: tools, instructions, then the input in order.
    fn render(&self, bytes_per_token: usize) -> Vec<u8> {
        let mut prompt = Prompt::default();
        if let Some(tools) = self.tools {
            prompt.turn("tools", &[tools.get()]);
        }
        if let Some(instructions) = &self.instructions {
            prompt.turn("system", &[instructions]);
        }
        match &self.input {
            None => {}
            Some(Input::Text(text)) => prompt.turn("user", &[text]),
            Some(Input::Items(items)) => items.iter().for_each(|item| item.render(&mut prompt, bytes_per_token)),
        }
        prompt.finish()
    }
}

// === impl Item ===

impl Item {
    fn render(&self, prompt: &mut Prompt, bytes_per_token: usize) {
        match self {
            Self::Message { role, content } => prompt.turn(role, &[&content.render(bytes_per_token)]),
            Self::Other(item) if item["type"] == "function_call_output" => {
                let output = item["output"].as_str().map_or_else(|| item["output"].to_string(), str::to_owned);
                prompt.turn("tool", &[&output]);
            }
            Self::Other(item) => prompt.turn("assistant", &[&item.to_string()]),
        }
    }
}

// === impl Responses ===

impl Responses {
    fn id(&self, kind: &str) -> String {
        format!("{kind}_{}", self.facts.unique)
    }

    fn document(&self, status: &str, output: &[Value], usage: &Value) -> Value {
        let Facts { model, now, .. } = &self.facts;
        let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        json!({"id": self.id("resp"), "object": "response", "created_at": now, "model": model, "status": status,
               "output": output, "usage": usage, "error": null, "incomplete_details": incomplete,
               "previous_response_id": self.previous, "conversation": self.conversation, "metadata": {},
               "parallel_tool_calls": true, "tool_choice": "auto", "tools": []})
    }

    fn item(&self, status: &str, content: &[Value]) -> Value {
        json!({"id": self.id("msg"), "type": "message", "role": "assistant", "status": status, "content": content})
    }

    /// How it ends.
    fn status(&self) -> &'static str {
        if self.limited { "incomplete" } else { "completed" }
    }

    fn ended(&self, text: &str, used: Usage) -> Value {
        let Usage { prompt, completion, cached } = used;
        let usage = json!({"input_tokens": prompt, "input_tokens_details": {"cached_tokens": cached},
                           "output_tokens": completion, "output_tokens_details": {"reasoning_tokens": 0},
                           "total_tokens": prompt + completion});
        self.document(self.status(), &[self.item(self.status(), &[part(text)])], &usage)
    }

    fn event(&mut self, kind: &str, mut fields: Value) -> String {
        fields["type"] = json!(kind);
        fields["sequence_number"] = json!(self.events);
        self.events += 1;
        sse::typed(&fields)
    }

    /// An event about the one part of the one item.
    fn part_event(&mut self, kind: &str, mut fields: Value) -> String {
        fields["item_id"] = json!(self.id("msg"));
        fields["output_index"] = json!(0);
        fields["content_index"] = json!(0);
        self.event(kind, fields)
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

impl Reply for Responses {
    fn whole(&mut self, answers: Vec<Answer>, usage: Usage) -> Value {
        self.ended(&text_of(&answers), usage)
    }

    fn token(&mut self, piece: &Piece, _usage: Usage) -> String {
        let mut events = String::new();
        if piece.is_first {
            let begun = json!({"response": self.document("in_progress", &[], &Value::Null)});
            events += &self.event("response.created", begun.clone());
            events += &self.event("response.in_progress", begun);
            let item = self.item("in_progress", &[]);
            events += &self.event("response.output_item.added", json!({"output_index": 0, "item": item}));
            events += &self.part_event("response.content_part.added", json!({"part": part("")}));
        }
        self.told += &piece.text;
        events + &self.part_event("response.output_text.delta", json!({"delta": piece.text, "logprobs": []}))
    }

    fn end(&mut self, usage: Usage) -> String {
        let told = std::mem::take(&mut self.told);
        let status = self.status();
        let mut events = self.part_event("response.output_text.done", json!({"text": told, "logprobs": []}));
        events += &self.part_event("response.content_part.done", json!({"part": part(&told)}));
        let item = self.item(status, &[part(&told)]);
        events += &self.event("response.output_item.done", json!({"output_index": 0, "item": item}));
        let response = self.ended(&told, usage);
        events + &self.event(&format!("response.{status}"), json!({"response": response}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(body: Value) -> String {
        let body = body.to_string();
        let request: Request<'_> = serde_json::from_str(&body).expect("parses");
        String::from_utf8(request.render(4)).expect("text")
    }

    #[test]
    fn tools_and_instructions_come_before_the_input() {
        let text = rendered(json!({"input": "hi", "instructions": "be brief", "tools": [{"name": "t"}]}));
        assert_eq!(
            text,
            "<|im_start|>tools\n[{\"name\":\"t\"}]<|im_end|>\n<|im_start|>system\nbe brief<|im_end|>\n\
             <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn items_are_messages_calls_and_their_results() {
        let first = rendered(json!({"input": [{"role": "user", "content": "hi"}]}));
        let second = rendered(json!({"input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ho"}]},
            {"type": "function_call", "name": "f"},
            {"type": "function_call_output", "output": "sun"},
        ]}));
        assert_eq!(first, rendered(json!({"input": "hi"})));
        let rest = second.strip_prefix(&first).expect("the shorter conversation in front");
        assert_eq!(
            rest,
            "ho<|im_end|>\n<|im_start|>assistant\n{\"name\":\"f\",\"type\":\"function_call\"}<|im_end|>\n\
             <|im_start|>tool\nsun<|im_end|>\n<|im_start|>assistant\n"
        );
    }
}
