//! Anthropic's messages.

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
    messages: Vec<Message>,
    /// Rendered before the messages.
    system: Option<Content>,
    /// Rendered before everything, as they came.
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    max_tokens: u64,
    stream: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Content,
}

struct Messages {
    facts: Facts,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    Ok(Asked {
        prompts: vec![request.render(facts.bytes_per_token)],
        model: request.model,
        output: Some(request.max_tokens),
        streams: request.stream == Some(true),
        reply: Box::new(Messages { facts }),
    })
}

// === impl Request ===

impl Request<'_> {
    /// The text that the model would see: tools, system, then the messages in order.
    fn render(&self, bytes_per_token: usize) -> Vec<u8> {
        let mut prompt = Prompt::default();
        if let Some(tools) = self.tools {
            prompt.turn("tools", &[tools.get()]);
        }
        if let Some(system) = &self.system {
            prompt.turn("system", &[&system.render(bytes_per_token)]);
        }
        for Message { role, content } in &self.messages {
            prompt.turn(role, &[&content.render(bytes_per_token)]);
        }
        prompt.finish()
    }
}

// === impl Messages ===

impl Messages {
    fn document(&self, content: &[Value], stop: Option<&str>, usage: &Value) -> Value {
        let Facts { model, unique, .. } = &self.facts;
        json!({"id": format!("msg_{unique}"), "type": "message", "role": "assistant", "model": model,
               "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage})
    }
}

/// Tokens that the cache held are counted apart from the input.
fn used(usage: Usage, output: u64) -> Value {
    let Usage { prompt, cached, .. } = usage;
    json!({"input_tokens": prompt - cached, "cache_creation_input_tokens": 0, "cache_read_input_tokens": cached,
           "output_tokens": output})
}

impl Reply for Messages {
    fn whole(&mut self, answers: Vec<Answer>, usage: Usage) -> Value {
        let block = json!({"type": "text", "text": text_of(&answers)});
        self.document(&[block], Some("max_tokens"), &used(usage, usage.completion))
    }

    fn token(&mut self, piece: &Piece, usage: Usage) -> String {
        let mut events = String::new();
        if piece.is_first {
            let message = self.document(&[], None, &used(usage, 1));
            events += &sse::typed(&json!({"type": "message_start", "message": message}));
            let block = json!({"type": "text", "text": ""});
            events += &sse::typed(&json!({"type": "content_block_start", "index": 0, "content_block": block}));
            events += &sse::typed(&json!({"type": "ping"}));
        }
        let delta = json!({"type": "text_delta", "text": piece.text});
        events + &sse::typed(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }

    fn end(&mut self, usage: Usage) -> String {
        let delta = json!({"stop_reason": "max_tokens", "stop_sequence": null});
        let usage = json!({"output_tokens": usage.completion});
        sse::typed(&json!({"type": "content_block_stop", "index": 0}))
            + &sse::typed(&json!({"type": "message_delta", "delta": delta, "usage": usage}))
            + &sse::typed(&json!({"type": "message_stop"}))
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
    fn tools_and_system_come_before_the_messages_wherever_they_stand() {
        let expected = "<|im_start|>tools\n[{\"name\":\"t\"}]<|im_end|>\n<|im_start|>system\nbe brief<|im_end|>\n\
                        <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
        let (messages, tools) = (json!([{"role": "user", "content": "hi"}]), json!([{"name": "t"}]));
        let blocks = json!([{"type": "text", "text": "be ", "cache_control": {"type": "ephemeral"}},
                            {"type": "text", "text": "brief"}]);
        for system in [json!("be brief"), blocks] {
            let body = json!({"messages": messages, "system": system, "tools": tools, "max_tokens": 1});
            assert_eq!(rendered(body), expected);
        }
    }

    #[test]
    fn a_request_says_how_long_its_answer_may_be() {
        assert!(serde_json::from_str::<Request<'_>>(r#"{"messages": []}"#).is_err());
    }
}
