//! What is read of the requests that real clients send: `tests/data/clients/`, one file each.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::super::head::RequestHead;
use super::*;
use crate::config::Sessions;
use crate::proto::envoy::HeaderValue;

/// A recorded request.
#[derive(Deserialize)]
struct Recorded {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// What was read: API, source and field of the session, kinds of the parts (text `t`, medium `m`), model, whether it
/// streams, unit.
type Row = (Api, &'static str, &'static str, &'static str, &'static str, bool, Unit);

const NO: (&str, &str) = ("none", "");

/// What is to be read of each file.
fn expected() -> Vec<(&'static str, Row)> {
    use Api::{Chat, Completions, Embeddings, Messages, Responses, SglangGenerate, VllmGenerate};
    let row = |api, (source, field), kinds, model, streams, unit| (api, source, field, kinds, model, streams, unit);
    let of = |api, session, kinds| row(api, session, kinds, "simulated", false, Unit::Text);
    let streamed = |api, session, kinds| row(api, session, kinds, "simulated", true, Unit::Text);
    let ids = |api, session| row(api, session, "t", "simulated", false, Unit::TokenIds);
    let excerpt = |session, kinds| row(Responses, session, kinds, "simulated", false, Unit::Excerpt);
    let header = ("header", "x-session-id");
    vec![
        ("anthropic-messages-cache-control", of(Messages, NO, "tt")),
        ("anthropic-messages-document", of(Messages, NO, "t")),
        ("anthropic-messages-image-base64", of(Messages, NO, "tmt")),
        ("anthropic-messages-image-url", of(Messages, NO, "tmt")),
        ("anthropic-messages-metadata", of(Messages, header, "t")),
        ("anthropic-messages-plain", of(Messages, NO, "tt")),
        ("anthropic-messages-second-turn", of(Messages, NO, "tt")),
        ("anthropic-messages-stream", streamed(Messages, NO, "tt")),
        ("anthropic-messages-system-blocks", of(Messages, NO, "ttttt")),
        ("anthropic-messages-tool-result", of(Messages, NO, "tt")),
        ("anthropic-messages-tools", of(Messages, NO, "tt")),
        ("documented-claude-code-agent", streamed(Messages, ("harness", "x-claude-code-agent-id"), "ttttt")),
        ("documented-claude-code-json-user-id", streamed(Messages, ("harness", "x-claude-code-session-id"), "ttttt")),
        ("documented-claude-code-legacy-user-id", streamed(Messages, ("body", "metadata.user_id"), "ttttt")),
        ("documented-codex-hyphens", streamed(Responses, ("harness", "thread-id"), "ttt")),
        ("documented-codex-underscores", streamed(Responses, ("harness", "thread_id"), "ttt")),
        ("documented-dynamo", streamed(Chat, ("header", "x-dynamo-session-id"), "t")),
        ("documented-langchain", of(Chat, ("group", "prompt_cache_key"), "t")),
        ("documented-litellm-body", of(Chat, ("body", "metadata.session_id"), "t")),
        ("documented-litellm-header", of(Chat, ("harness", "x-litellm-session-id"), "t")),
        ("documented-opencode", streamed(Chat, header, "t")),
        ("documented-opencode-own-provider", streamed(Chat, ("header", "x-opencode-session"), "t")),
        ("documented-sglang-generate-batch", row(SglangGenerate, NO, "mt", "", false, Unit::Text)),
        (
            "documented-sglang-generate-ids",
            row(SglangGenerate, ("body", "session_params.session_id"), "t", "adapter-a", false, Unit::TokenIds),
        ),
        ("documented-sglang-generate-text", row(SglangGenerate, NO, "t", "", true, Unit::Text)),
        ("documented-vllm-generate", ids(VllmGenerate, header)),
        ("documented-vllm-generate-features", row(VllmGenerate, NO, "t", "simulated", true, Unit::TokenIds)),
        ("openai-chat-identities", of(Chat, header, "t")),
        ("openai-chat-image-data-url", of(Chat, NO, "tmt")),
        ("openai-chat-image-http-url", of(Chat, NO, "tmt")),
        ("openai-chat-input-audio", of(Chat, NO, "tmt")),
        ("openai-chat-json-schema", of(Chat, NO, "t")),
        ("openai-chat-plain", of(Chat, NO, "t")),
        ("openai-chat-second-turn", of(Chat, NO, "t")),
        ("openai-chat-stream", streamed(Chat, NO, "t")),
        ("openai-chat-tool-result", of(Chat, NO, "tt")),
        ("openai-chat-tools", of(Chat, NO, "tt")),
        ("openai-chat-vllm-extras", of(Chat, ("body", "session_id"), "t")),
        ("openai-completions-list", of(Completions, NO, "t")),
        ("openai-completions-stream", streamed(Completions, NO, "t")),
        ("openai-completions-text", of(Completions, NO, "t")),
        ("openai-completions-token-id-lists", ids(Completions, NO)),
        ("openai-completions-token-ids", ids(Completions, NO)),
        ("openai-embeddings-base64", of(Embeddings, NO, "t")),
        ("openai-embeddings-list", of(Embeddings, NO, "t")),
        ("openai-embeddings-text", of(Embeddings, NO, "t")),
        ("openai-embeddings-token-id-lists", ids(Embeddings, NO)),
        ("openai-embeddings-token-ids", ids(Embeddings, NO)),
        ("openai-responses-conversation", excerpt(("conversation", "conversation"), "t")),
        ("openai-responses-conversation-object", excerpt(("conversation", "conversation.id"), "t")),
        ("openai-responses-identities", of(Responses, header, "t")),
        ("openai-responses-input-image", of(Responses, NO, "tmt")),
        ("openai-responses-items", of(Responses, NO, "t")),
        ("openai-responses-plain", of(Responses, NO, "tt")),
        ("openai-responses-previous", excerpt(NO, "tt")),
        ("openai-responses-stream", streamed(Responses, NO, "tt")),
        ("openai-responses-tools", of(Responses, NO, "tt")),
    ]
}

fn read(recorded: &Recorded, row: Row) {
    let header = |(key, value): (&str, &str)| HeaderValue {
        key: key.to_owned().into(),
        raw_value: value.to_owned().into(),
        ..HeaderValue::default()
    };
    let headers = recorded.headers.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let headers: Vec<_> = headers.chain([(":path", recorded.path.as_str())]).map(header).collect();
    let mut head = RequestHead::read(&headers, &Sessions::default());
    let (api, source, field, kinds, model, streams, unit) = row;
    assert_eq!(head.api, Some(api));
    with_content(api, recorded.body.as_bytes(), true, |content| {
        head.identity.settle(content.session, false);
        let hint = head.identity.hint();
        assert_eq!((hint.source.as_str(), hint.field.unwrap_or_default()), (source, field));
        assert_eq!((content.fault, content.invalid_session, head.identity.invalid), (None, false, false));
        let prompt = content.prompt.expect("a prompt");
        let kind = |part: &Part<'_>| if matches!(part, Part::Media(_)) { 'm' } else { 't' };
        assert_eq!(prompt.parts.iter().map(kind).collect::<String>(), kinds);
        assert_eq!((prompt.model, prompt.streams, prompt.unit), (model, streams, unit));
        let bytes = |part: &Part<'_>| if let Part::Bytes(bytes) = part { bytes.to_vec() } else { Vec::new() };
        let text: Vec<u8> = prompt.parts.iter().flat_map(bytes).collect();
        assert!(memchr::memmem::find(&text, b"\"cache_control\"").is_none(), "elsewhere in the next turn");
        assert!(memchr::memmem::find(&text, b"billing").is_none(), "another one in each request");
        assert!(memchr::memmem::find(&text, b"iVBORw0KGgo").is_none(), "the data of a picture");
    });
}

fn recorded() -> BTreeMap<String, Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients");
    let one = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("the folder can be listed").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a recorded request is text");
        (name, serde_json::from_str(&text).expect("a recorded request"))
    };
    std::fs::read_dir(folder).expect("the folder can be listed").map(one).collect()
}

#[test]
fn every_recorded_request_is_read_as_expected() {
    let mut recorded = recorded();
    for (name, row) in expected() {
        let recorded = recorded.remove(name).unwrap_or_else(|| panic!("{name} is not in the folder"));
        println!("{name}");
        read(&recorded, row);
    }
    let left: Vec<_> = recorded.keys().collect();
    assert!(left.is_empty(), "nothing is expected of {left:?}");
}

#[test]
fn a_second_turn_has_the_first_in_front() {
    let recorded = recorded();
    let bytes = |name: &str, api| {
        with_content(api, recorded[name].body.as_bytes(), false, |content| {
            let of = |part: &Part<'_>| if let Part::Bytes(bytes) = part { bytes.to_vec() } else { Vec::new() };
            content.prompt.expect("a prompt").parts.iter().flat_map(of).collect::<Vec<u8>>()
        })
    };
    for (api, first, second) in [
        (Api::Chat, "openai-chat-plain", "openai-chat-second-turn"),
        (Api::Chat, "openai-chat-plain", "openai-chat-stream"),
        (Api::Messages, "anthropic-messages-plain", "anthropic-messages-second-turn"),
        (Api::Messages, "documented-claude-code-agent", "documented-claude-code-legacy-user-id"),
    ] {
        assert!(bytes(second, api).starts_with(&bytes(first, api)), "{first} {second}");
    }
}
