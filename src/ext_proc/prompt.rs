//! A borrowed view of an OpenAI body: model and prompt, without a JSON tree.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Prompt;

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

/// Shows the prompt of `body` to `read`; `None` if there is none that we understand.
///
/// Prompt bytes are the JSON text of `tools`, then of `messages` or `prompt`: the order in which chat
/// templates render them. A longer conversation has the same bytes in front, which is all that matters.
pub fn with_prompt<T>(body: &[u8], read: impl FnOnce(Option<Prompt<'_>>) -> T) -> T {
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else { return read(None) };
    let Some(text) = body.messages.or(body.prompt) else { return read(None) };
    let tools = body.tools.map_or("", RawValue::get);
    let parts = [open_ended(tools), open_ended(text.get())];
    read(Some(Prompt { model: body.model.as_deref().unwrap_or_default(), parts, streams: body.stream == Some(true) }))
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
        with_prompt(body.as_bytes(), |prompt| {
            prompt.map(|it| (it.model.to_owned(), text(it.parts[0]), text(it.parts[1]), it.streams))
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
            with_prompt(&bytes, |_| ());
        }
    }
}
