//! A borrowed view of a body: model, prompt and session, without a JSON tree.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Part, Prompt, SessionSource, Unit};

use super::api::Api;

/// The fields of chat completions and completions that a pick may depend on. All others are skipped.
#[derive(Debug, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
}

/// What a body says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The prompt, if there is one that we understand.
    pub prompt: Option<Prompt<'a>>,
    /// The session that it names.
    pub session: Option<Named<'a>>,
    /// Why no engine can take it, as far as we can tell.
    pub fault: Option<Fault>,
}

/// A session that a body names.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// A valid id.
    pub id: &'a str,
    /// What kind of field held it.
    pub source: SessionSource,
    /// That field.
    pub field: &'static str,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not JSON, or not an object with fields of the right kind.
    #[error("the request body is not a JSON object with the fields of its API")]
    Malformed,
    /// It names no model, and its API asks for one.
    #[error("the request body names no model")]
    NoModel,
}

/// Without the id, so that no log can hold it.
impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("source", &self.source).field("field", &self.field).finish_non_exhaustive()
    }
}

/// Shows what `body` says to `read`.
///
/// Prompt bytes are the JSON text of `tools`, then of `messages` or `prompt`: the order in which chat
/// templates render them. A longer conversation has the same bytes in front, which is all that matters.
pub fn with_content<T>(_api: Api, body: &[u8], read: impl FnOnce(Content<'_>) -> T) -> T {
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else {
        return read(Content { fault: Some(Fault::Malformed), ..Content::default() });
    };
    let fault = body.model.is_none().then_some(Fault::NoModel);
    let Some(text) = body.messages.or(body.prompt) else { return read(Content { fault, ..Content::default() }) };
    let tools = body.tools.map_or("", RawValue::get);
    let parts = [open_ended(tools), open_ended(text.get())].map(Part::Bytes);
    let model = body.model.as_deref().unwrap_or_default();
    let prompt = Prompt { model, salt: "", parts: &parts, unit: Unit::Text, streams: body.stream == Some(true) };
    read(Content { prompt: Some(prompt), session: None, fault })
}

/// Without the closing bracket or quote, which moves on with every turn.
fn open_ended(json: &str) -> &[u8] {
    json.strip_suffix(['}', ']', '"']).unwrap_or(json).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (model, tools, messages or prompt, streams)
    fn view(body: &str) -> Option<(String, String, String, bool)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let part = |part: &Part<'_>| match part {
            Part::Bytes(bytes) => text(bytes),
            Part::Media(_) => String::new(),
        };
        with_content(Api::Unsaid, body.as_bytes(), |content| {
            content.prompt.map(|it| (it.model.to_owned(), part(&it.parts[0]), part(&it.parts[1]), it.streams))
        })
    }

    #[test]
    fn tools_come_before_messages_whatever_their_order_in_the_body() {
        let body = r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","stream":true,"tools":[{"type":"function"}],"n":1}"#;
        let expected = ("m", r#"[{"type":"function"}"#, r#"[{"role":"user","content":"hi"}"#, true);
        assert_eq!(view(body), Some((expected.0.into(), expected.1.into(), expected.2.into(), expected.3)));
    }

    #[test]
    fn a_completions_prompt_may_be_text_or_a_list() {
        assert_eq!(view(r#"{"model":"m","prompt":"a \"b\""}"#).map(|it| it.2), Some(r#""a \"b\""#.into()));
        assert_eq!(view(r#"{"prompt":["a","b"]}"#).map(|it| (it.0, it.2)), Some((String::new(), r#"["a","b""#.into())));
    }

    #[test]
    fn what_cannot_be_understood_is_none() {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"model":"m"}"#,
            r#"{"model":1,"prompt":"x"}"#,
            "\u{0}",
            r#"{"input":"x"}"#,
        ] {
            assert_eq!(view(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_longer_conversation_has_the_same_bytes_in_front(turns in prop::collection::vec(".{0,40}", 1..8), more in ".{0,40}") {
            let body = |turns: &[String]| {
                let messages: Vec<_> = turns.iter().map(|turn| serde_json::json!({"role": "user", "content": turn})).collect();
                serde_json::json!({"model": "m", "messages": messages}).to_string()
            };
            let mut longer = turns.clone();
            longer.push(more);
            let (short, long) = (view(&body(&turns)).expect("a chat"), view(&body(&longer)).expect("a chat"));
            prop_assert!(long.2.starts_with(&short.2));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            with_content(Api::Unsaid, &bytes, |_| ());
        }
    }
}
