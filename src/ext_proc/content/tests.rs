use super::*;
use proptest::prelude::*;
use serde_json::json;

/// A part, owned.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Media(u64),
}

/// What a test may ask of a body.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    model: String,
    salt: String,
    parts: Vec<Piece>,
    unit: Unit,
    streams: bool,
}

fn seen(api: Api, body: &str) -> (Option<Seen>, Option<Fault>) {
    with_content(api, body.as_bytes(), true, |content| {
        let piece = |part: &Part<'_>| match part {
            Part::Bytes(bytes) => Piece::Text(String::from_utf8_lossy(bytes).into_owned()),
            Part::Media(hash) => Piece::Media(*hash),
        };
        let seen = content.prompt.map(|it| Seen {
            model: it.model.into(),
            salt: it.salt.into(),
            parts: it.parts.iter().map(piece).collect(),
            unit: it.unit,
            streams: it.streams,
        });
        (seen, content.fault)
    })
}

fn prompt(api: Api, body: &str) -> Seen {
    seen(api, body).0.unwrap_or_else(|| panic!("no prompt: {body}"))
}

/// The texts of a prompt without media.
fn texts(api: Api, body: &str) -> Vec<String> {
    let text = |piece| match piece {
        Piece::Text(text) => text,
        Piece::Media(_) => panic!("a medium in {body}"),
    };
    prompt(api, body).parts.into_iter().map(text).collect()
}

#[test]
fn each_api_has_its_prompt_in_the_order_of_rendering() {
    use Api::{
        Chat, Completions, Embeddings, Messages, Responses, SglangGenerate, TritonGenerate, Unsaid, VllmGenerate,
    };
    let chat = r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","tools":[{"type":"function"}],"system":"no","n":1}"#;
    let messages = r#"{"messages":[{"role":"user","content":"hi"}],"system":"be kind","tools":[{"name":"t"}]}"#;
    let responses =
        r#"{"input":[{"role":"user","content":"hi"}],"instructions":"be kind","tools":[{"type":"function"}]}"#;
    let turn = r#"[{"role":"user","content":"hi"}"#;
    for (api, body, expected) in [
        (Chat, chat, &[r#"[{"type":"function"}"#, turn][..]),
        (Messages, messages, &[r#"[{"name":"t"}"#, r#""be kind"#, turn]),
        (
            Messages,
            r#"{"system":[{"type":"text","text":"a"}],"messages":[]}"#,
            &[r#"[{"type":"text","text":"a"}"#, "["],
        ),
        (Responses, responses, &[r#"[{"type":"function"}"#, r#""be kind"#, turn]),
        (Responses, r#"{"input":"hi"}"#, &[r#""hi"#]),
        (Completions, r#"{"prompt":"a \"b\""}"#, &[r#""a \"b\""#]),
        (Completions, r#"{"prompt":["a","b"]}"#, &[r#"["a","b""#]),
        (Completions, r#"{"prompt":"a","messages":"a"}"#, &[r#""a"#]),
        (Embeddings, r#"{"input":"a"}"#, &[r#""a"#]),
        (Embeddings, r#"{"input":["a","b"]}"#, &[r#"["a","b""#]),
        (Embeddings, r#"{"messages":[{"role":"user","content":"hi"}]}"#, &[turn]),
        (SglangGenerate, r#"{"text":"a"}"#, &[r#""a"#]),
        (SglangGenerate, r#"{"text":["a"]}"#, &[r#"["a""#]),
        (SglangGenerate, r#"{"inputs":"a","parameters":{}}"#, &[r#""a"#]),
        (TritonGenerate, r#"{"text_input":"a","text":"b"}"#, &[r#""a"#]),
        (Unsaid, r#"{"text_input":"a"}"#, &[r#""a"#]),
        (Unsaid, r#"{"inputs":"a"}"#, &[r#""a"#]),
        (Unsaid, chat, &[r#"[{"type":"function"}"#, r#""no"#, turn]),
        (Unsaid, messages, &[r#"[{"name":"t"}"#, r#""be kind"#, turn]),
        (Unsaid, responses, &[r#"[{"type":"function"}"#, r#""be kind"#, turn]),
        (Unsaid, r#"{"prompt":"a"}"#, &[r#""a"#]),
        (Unsaid, r#"{"text":"a"}"#, &[r#""a"#]),
    ] {
        assert_eq!(texts(api, body), expected, "{api:?} {body}");
    }
    let ids = |api, body: &str| (prompt(api, body).unit, prompt(api, body).parts.len());
    for (api, body) in [
        (Completions, r#"{"prompt":[1,2]}"#),
        (Completions, r#"{"prompt":[[1,2],[3]]}"#),
        (Embeddings, r#"{"input":[1,2]}"#),
        (Embeddings, r#"{"input":[[1,2],[3]]}"#),
        (VllmGenerate, r#"{"token_ids":[1,2]}"#),
        (SglangGenerate, r#"{"input_ids":[1,2]}"#),
        (SglangGenerate, r#"{"input_ids":[[1,2],[3]]}"#),
        (Unsaid, r#"{"token_ids":[1,2]}"#),
        (Unsaid, r#"{"input_ids":[1,2]}"#),
    ] {
        assert_eq!(ids(api, body), (Unit::TokenIds, 1), "{body}");
    }
}

#[test]
fn model_adapter_salt_and_stream_are_read() {
    let of = |body| {
        let seen = prompt(Api::Unsaid, body);
        (seen.model, seen.salt, seen.streams)
    };
    let told = |model: &str, salt: &str, streams| (model.to_owned(), salt.to_owned(), streams);
    assert_eq!(of(r#"{"prompt":"x","model":"m\u002f1","stream":true,"cache_salt":"s"}"#), told("m/1", "s", true));
    assert_eq!(of(r#"{"prompt":"x","stream":false}"#), told("", "", false));
    assert_eq!(of(r#"{"text":"x","model":"m","lora_path":"a","extra_key":"k"}"#), told("a", "k", false));
    assert_eq!(of(r#"{"text":["x"],"model":"m","lora_path":["a"],"cache_salt":""}"#), told("m", "", false));
    assert_eq!(of(r#"{"text":"x","model":"m","lora_path":"","cache_salt":"","extra_key":"k"}"#), told("m", "k", false));
    assert_eq!(
        of(r#"{"prompt":"x","stream":"yes","cache_salt":7,"n":{}}"#),
        told("", "", false),
        "odd, not our business"
    );
}

#[test]
fn a_salt_and_an_extra_key_count_both() {
    let all = ["", "a", "ab", "b"].map(|salt| ["", "b", "bb", "k"].map(|key| (salt, key)));
    let of =
        |(salt, key)| prompt(Api::Unsaid, &json!({"text": "x", "cache_salt": salt, "extra_key": key}).to_string()).salt;
    let mut salts: Vec<_> = all.into_iter().flatten().map(of).collect();
    salts.sort_unstable();
    salts.dedup();
    // Alone it does not matter which of them says it.
    assert_eq!(salts.len(), 16 - 1);
}

#[test]
fn text_that_the_engine_adds_to_is_an_excerpt() {
    let unit = |body| prompt(Api::Unsaid, body).unit;
    assert_eq!(unit(r#"{"input":"x","previous_response_id":"resp_1"}"#), Unit::Excerpt);
    assert_eq!(unit(r#"{"input":"x","conversation":"conv_1"}"#), Unit::Excerpt);
    assert_eq!(unit(r#"{"text":"x","session_params":{"id":"s"}}"#), Unit::Excerpt);
    assert_eq!(unit(r#"{"input":"x","previous_response_id":null}"#), Unit::Text);
}

#[test]
fn what_cannot_be_understood_is_no_prompt() {
    for body in ["", "{", "[]", "null", "\u{0}", "{\"model\":1,\"prompt\":\"x\"}", "{\"prompt\":\"x\"}{}"] {
        assert_eq!(seen(Api::Unsaid, body), (None, Some(Fault::Malformed)), "{body}");
    }
    for (api, body) in [
        (Api::Chat, r#"{"model":"m","messages":"hi"}"#),
        (Api::Chat, r#"{"model":"m","messages":7}"#),
        (Api::Completions, r#"{"model":"m","prompt":{"a":1}}"#),
        (Api::Completions, r#"{"model":"m","prompt":[1,"a"]}"#),
        (Api::Completions, r#"{"model":"m","prompt":[1,4294967296]}"#),
        (Api::VllmGenerate, r#"{"token_ids":[-1]}"#),
    ] {
        assert_eq!(seen(api, body), (None, Some(Fault::Malformed)), "{body}");
    }
    assert_eq!(with_content(Api::Unsaid, b"{\"prompt\":\"\xff\"}", true, |it| it.fault), Some(Fault::Malformed));
    for body in ["{}", r#"{"inputs":[{"a":1}]}"#, r#"{"model":"m"}"#, r#"{"model":"m","messages":null}"#] {
        assert_eq!(seen(Api::Unsaid, body), (None, None), "{body}");
    }
}

#[test]
fn token_ids_among_media_that_cannot_be_told_apart_are_no_prompt() {
    for features in
        ["7", r#"{"mm_hashes":{"image":"a"}}"#, r#"{"mm_hashes":{"image":[]},"mm_placeholders":{"image":[{}]}}"#]
    {
        let body = format!(r#"{{"token_ids":[1,2],"prompt":[1,2],"features":{features}}}"#);
        assert_eq!(seen(Api::VllmGenerate, &body), (None, None), "{features}");
        assert!(seen(Api::Completions, &body).0.is_some(), "not a member of this API");
    }
    assert!(seen(Api::VllmGenerate, r#"{"token_ids":[1,2],"features":null}"#).0.is_some());
}

#[test]
fn a_model_is_asked_for_where_the_api_asks_for_one() {
    use Api::{
        Chat, Completions, Embeddings, Messages, Responses, SglangGenerate, TritonGenerate, Unsaid, VllmGenerate,
    };
    for api in
        [Chat, Completions, Responses, Embeddings, Messages, VllmGenerate, SglangGenerate, TritonGenerate, Unsaid]
    {
        let fault = (!matches!(api, VllmGenerate | SglangGenerate | TritonGenerate | Unsaid)).then_some(Fault::NoModel);
        assert_eq!(seen(api, r#"{"model":null,"n":1}"#).1, fault, "{api:?}");
        assert_eq!(seen(api, r#"{"model":"m"}"#).1, None, "{api:?}");
    }
}

#[test]
fn a_session_is_looked_for_only_if_asked() {
    let body = br#"{"prompt":"x","session_id":"s"}"#;
    let field = |asks| with_content(Api::Unsaid, body, asks, |it| it.session.map(|it| (it.id.to_owned(), it.field)));
    assert_eq!((field(true), field(false)), (Some(("s".to_owned(), "session_id")), None));
    let unreadable = br#"{"prompt":7,"session_id":"s"}"#;
    assert!(with_content(Api::Unsaid, unreadable, true, |it| it.prompt.is_none() && it.session.is_some()));
}

#[test]
fn media_beside_a_prompt_come_before_it() {
    let kinds = |body: &str| -> Vec<bool> {
        prompt(Api::SglangGenerate, body).parts.iter().map(|part| matches!(part, Piece::Media(_))).collect()
    };
    assert_eq!(kinds(r#"{"text":"x","image_data":"AAAA"}"#), [true, false]);
    assert_eq!(
        kinds(r#"{"text":["x","y"],"image_data":["AAAA",null],"audio_data":[["BBBB"],["CCCC"]]}"#),
        [true, true, true, false]
    );
    assert_eq!(kinds(r#"{"input_ids":[1,2],"video_data":{"url":"u"}}"#), [true, false]);
    assert_eq!(kinds(r#"{"input_ids":[1,2],"image_data":null,"audio_data":[]}"#), [false]);
    let of = |data: &str| prompt(Api::SglangGenerate, &format!(r#"{{"text":"x","image_data":["{data}"]}}"#)).parts;
    assert!(of("AAAA") == of("AAAA") && of("AAAA") != of("AAAB"));
}

/// A conversation of texts, some of them in parts, some that look like what they are not.
fn text_turns() -> impl Strategy<Value = Vec<serde_json::Value>> {
    let text = prop_oneof![
        ".{0,40}",
        Just(r#""type":"image_url","image_url":{"url":"data:"}"#.to_owned()),
        Just(r#"{"type": "image", "source": {"data": "AAAA"}}"#.to_owned()),
    ];
    let turn = (text, any::<bool>()).prop_map(|(text, in_parts)| {
        let content = if in_parts { json!([{"type": "text", "text": text}]) } else { json!(text) };
        json!({"role": "user", "content": content})
    });
    prop::collection::vec(turn, 0..8)
}

/// A conversation as a client of Anthropic writes it: `marked` are the places of messages with a mark, and a message
/// of one text is a list where its place is in `listed`.
fn marked_body(texts: &[Vec<String>], marked: &[usize], listed: &[bool]) -> String {
    let mark = json!({"type": "ephemeral"});
    let message = |(at, texts): (usize, &Vec<String>)| {
        let is_marked = marked.contains(&at);
        let mut content = match texts.as_slice() {
            [text] if !is_marked && !listed[at] => json!(text),
            texts => texts.iter().map(|text| json!({"type": "text", "text": text})).collect(),
        };
        if is_marked {
            content.as_array_mut().and_then(|it| it.last_mut()).expect("a list")["cache_control"] = mark.clone();
        }
        json!({"role": if at % 2 == 0 { "user" } else { "assistant" }, "content": content})
    };
    let messages: Vec<_> = texts.iter().enumerate().map(message).collect();
    let system = json!([{"type": "text", "text": "be kind", "cache_control": mark}]);
    json!({"model": "m", "system": system, "messages": messages}).to_string()
}

fn conversation() -> impl Strategy<Value = (Vec<Vec<String>>, Vec<bool>, Vec<bool>)> {
    let texts = prop::collection::vec(".{0,12}|\"cache_control\":", 1..4);
    let of = |count: usize| (prop::collection::vec(any::<bool>(), count), prop::collection::vec(any::<bool>(), count));
    prop::collection::vec(texts, 1..7).prop_flat_map(move |texts| {
        let (listed, more) = of(texts.len());
        (Just(texts), listed, more)
    })
}

proptest! {
    #[test]
    fn marks_change_nothing_wherever_they_are((texts_of, listed, other) in conversation(), at in 0usize..7, and in 0usize..7) {
        let one = texts(Api::Messages, &marked_body(&texts_of, &[at, and], &listed)).concat();
        let none = texts(Api::Messages, &marked_body(&texts_of, &[], &other)).concat();
        prop_assert_eq!(one, none);
    }

    #[test]
    fn a_mark_that_moves_on_leaves_the_turns_before_it_as_they_were((texts_of, listed, other) in conversation(), cut in 1usize..7) {
        let cut = cut.min(texts_of.len());
        let first = texts(Api::Messages, &marked_body(&texts_of[..cut], &[cut - 1], &listed)).concat();
        let next = texts(Api::Messages, &marked_body(&texts_of, &[texts_of.len() - 1], &other)).concat();
        prop_assert!(next.starts_with(&first), "{} {}", first, next);
    }

    #[test]
    fn a_longer_conversation_has_the_same_bytes_in_front(mut turns in text_turns(), more in text_turns()) {
        let short = json!({"model": "m", "messages": turns}).to_string();
        turns.extend(more);
        let long = json!({"model": "m", "messages": turns}).to_string();
        let [short, long] = [short, long].map(|body| texts(Api::Chat, &body));
        prop_assert!(short.len() == 1 && long.len() == 1 && long[0].starts_with(&short[0]));
    }

    #[test]
    fn text_is_hashed_as_it_is_written(turns in text_turns()) {
        let written = serde_json::to_string_pretty(&turns).expect("plain data");
        let body = format!("{{\"model\":\"m\",\"messages\": {written} }}");
        prop_assert_eq!(texts(Api::Chat, &body), [written.strip_suffix(']').expect("a list").to_owned()]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        with_content(Api::Unsaid, &bytes, true, |_| ());
    }

    #[test]
    fn no_broken_body_makes_it_panic(start in 0usize..700, length in 0usize..20, piece in "[ -~é]{0,8}") {
        let whole = r#"{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header: a"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AAAA"}},{"type":"tool_result","content":[{"type":"image_url","image_url":{"url":"u"}}],"cache_control":{"type":"a"}}]},{"role":"user","content":[{"type":"text","text":"t","cache_control":null}]}],"metadata":{"user_id":"{\"session_id\":\"s\"}"},"token_ids":[1,[2]],"features":{"mm_hashes":{"image":["a"]}},"image_data":["A",["B"]]}"#;
        let mut bytes = whole.as_bytes().to_vec();
        let start = start.min(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece.into_bytes());
        for api in [Api::Unsaid, Api::Messages, Api::VllmGenerate, Api::SglangGenerate] {
            with_content(api, &bytes, true, |_| ());
        }
    }
}
