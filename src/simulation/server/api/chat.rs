//! OpenAI's chat completions.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::content::Content;
use super::{Asked, Facts, Reply, StreamOptions, completions, sse};
use crate::simulation::prompt::Prompt;
use crate::simulation::server::generation::{Answer, Piece, Usage};

#[derive(Deserialize)]
struct Request<'a> {
    model: Option<String>,
    /// The messages, oldest first.
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    /// Rendered before the messages, as they came.
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    max_tokens: Option<u64>,
    /// The newer name of `max_tokens`; wins.
    max_completion_tokens: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct Message<'a> {
    role: String,
    /// Text, parts, or nothing.
    content: Option<Content>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

struct Chat {
    facts: Facts,
    with_usage: bool,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let prompt = request.render(facts.bytes_per_token);
    let with_usage = request.stream_options.unwrap_or_default().include_usage;
    Ok(Asked {
        model: request.model,
        prompts: vec![prompt],
        output: request.max_completion_tokens.or(request.max_tokens),
        streams: request.stream == Some(true),
        reply: Box::new(Chat { facts, with_usage }),
    })
}

// === impl Request ===

impl Request<'_> {
    /// The text that the model would see: tools first, then the messages in order.
    fn render(&self, bytes_per_token: usize) -> Vec<u8> {
        let mut prompt = Prompt::default();
        if let Some(tools) = self.tools {
            prompt.turn("tools", &[tools.get()]);
        }
        for Message { role, content, tool_calls } in &self.messages {
            let content = content.as_ref().map(|content| content.render(bytes_per_token)).unwrap_or_default();
            prompt.turn(role, &[&content, tool_calls.map_or("", RawValue::get)]);
        }
        prompt.finish()
    }
}

// === impl Chat ===

impl Chat {
    fn document(&self, object: &str, choices: &[Value]) -> Value {
        let Facts { model, unique, now, .. } = &self.facts;
        let id = format!("chatcmpl-{unique}");
        json!({"id": id, "object": object, "created": now, "model": model, "choices": choices})
    }

    fn event(&self, delta: Value, finish: Option<&str>) -> String {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        sse::data(&self.document("chat.completion.chunk", &[choice]))
    }
}

impl Reply for Chat {
    fn whole(&mut self, answers: Vec<Answer>, usage: Usage) -> Value {
        let choice = |Answer { text, .. }| {
            json!({"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": null,
                   "finish_reason": "length"})
        };
        let choices: Vec<Value> = answers.into_iter().map(choice).collect();
        let mut document = self.document("chat.completion", &choices);
        document["usage"] = completions::usage(usage);
        document
    }

    /// A chat begins with an event that names the role.
    fn token(&mut self, piece: &Piece, _usage: Usage) -> String {
        let token = self.event(json!({"content": piece.text}), piece.is_last.then_some("length"));
        if !piece.is_first {
            return token;
        }
        self.event(json!({"role": "assistant", "content": ""}), None) + &token
    }

    fn end(&mut self, usage: Usage) -> String {
        let mut last = self.document("chat.completion.chunk", &[]);
        last["usage"] = completions::usage(usage);
        let last = if self.with_usage { sse::data(&last) } else { String::new() };
        last + sse::DONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(body: &str) -> String {
        let request: Request<'_> = serde_json::from_str(body).expect("parses");
        String::from_utf8(request.render(4)).expect("text")
    }

    #[test]
    fn tools_come_before_messages_wherever_they_stand() {
        let text = rendered(r#"{"messages": [{"role": "user", "content": "hi"}], "tools": [{"a": 1}]}"#);
        assert_eq!(
            text,
            "<|im_start|>tools\n[{\"a\": 1}]<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn a_longer_conversation_begins_with_the_shorter_one_and_its_answer() {
        let first = rendered(r#"{"messages": [{"role": "user", "content": "hi"}]}"#);
        let second = rendered(
            r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"},
                             {"role": "user", "content": [{"type": "text", "text": "why"}]}]}"#,
        );
        assert!(second.starts_with(&format!("{first}ho<|im_end|>\n")));
        assert!(second.contains("<|im_start|>user\nwhy<|im_end|>"));
    }

    #[test]
    fn calls_of_tools_are_rendered_where_the_content_is_null() {
        let text = rendered(r#"{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "c"}]}]}"#);
        assert!(text.starts_with("<|im_start|>assistant\n[{\"id\": \"c\"}]<|im_end|>\n"), "{text}");
    }
}
