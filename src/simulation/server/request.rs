//! What clients ask: OpenAI's two request bodies, as far as they matter to an engine that simulates.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::simulation::prompt::Prompt;

/// `POST /v1/chat/completions`.
#[derive(Deserialize)]
pub struct ChatRequest<'a> {
    /// The messages, oldest first.
    #[serde(borrow)]
    pub messages: Vec<Message<'a>>,
    /// Rendered before the messages, as they came.
    #[serde(borrow)]
    pub tools: Option<&'a RawValue>,
    /// The newer name of `max_tokens`; wins.
    pub max_completion_tokens: Option<u64>,
    #[serde(flatten)]
    pub common: Common,
}

/// `POST /v1/completions`.
#[derive(Deserialize)]
pub struct CompletionRequest {
    /// One prompt or several.
    pub prompt: Prompts,
    #[serde(flatten)]
    pub common: Common,
}

/// What both requests have.
#[derive(Deserialize)]
pub struct Common {
    pub model: Option<String>,
    pub max_tokens: Option<u64>,
    #[serde(default)]
    pub stream: Option<bool>,
    pub stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: bool,
}

/// One message of a chat.
#[derive(Deserialize)]
pub struct Message<'a> {
    pub role: String,
    /// Text, parts, or nothing.
    pub content: Option<Content>,
    #[serde(borrow)]
    pub tool_calls: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<serde_json::Value>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or an array of strings (the simulated engine takes no token ids)")]
pub enum Prompts {
    One(String),
    Several(Vec<String>),
}

// === impl Common ===

impl Common {
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }
}

// === impl ChatRequest ===

impl ChatRequest<'_> {
    /// The text that the model would see: tools first, then the messages in order.
    pub fn render(&self) -> Vec<u8> {
        let mut prompt = Prompt::default();
        if let Some(tools) = self.tools {
            prompt.turn("tools", &[tools.get()]);
        }
        for Message { role, content, tool_calls } in &self.messages {
            let calls = tool_calls.map_or("", RawValue::get);
            match content {
                Some(Content::Text(content)) => prompt.turn(role, &[content, calls]),
                Some(Content::Parts(parts)) => prompt.turn(role, &[&join(parts), calls]),
                None => prompt.turn(role, &[calls]),
            }
        }
        prompt.finish()
    }
}

/// Text parts as their text, anything else as its JSON.
fn join(parts: &[serde_json::Value]) -> String {
    parts
        .iter()
        .map(|part| match part.get("text").and_then(serde_json::Value::as_str) {
            Some(text) => text.to_owned(),
            None => part.to_string(),
        })
        .collect()
}

// === impl Prompts ===

impl Prompts {
    /// The prompts as the model would see them.
    pub fn into_texts(self) -> Vec<Vec<u8>> {
        match self {
            Self::One(prompt) => vec![prompt.into_bytes()],
            Self::Several(prompts) => prompts.into_iter().map(String::into_bytes).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(body: &str) -> String {
        let request: ChatRequest = serde_json::from_str(body).expect("parses");
        String::from_utf8(request.render()).expect("text")
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
    fn prompts_may_be_one_or_several_but_not_token_ids() {
        let several: CompletionRequest = serde_json::from_str(r#"{"prompt": ["a", "b"]}"#).expect("parses");
        assert_eq!(several.prompt.into_texts(), [b"a", b"b"]);
        assert!(serde_json::from_str::<CompletionRequest>(r#"{"prompt": [1, 2]}"#).is_err());
    }
}
