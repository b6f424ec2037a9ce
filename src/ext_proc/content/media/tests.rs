use super::super::pieces::MOST_MEDIA;
use super::*;
use crate::model::Part;
use proptest::prelude::*;
use serde_json::{Value, json};

fn split<'a>(json: &'a str, parts: &mut Vec<Part<'a>>) {
    let mut pieces = Pieces::default();
    pieces.text(json, &[], &find(json));
    parts.extend_from_slice(pieces.parts());
}

fn has_any(json: &str) -> bool {
    super::super::hints::find(json).media
}

/// The parts of a text: a medium as the data that it was cut out for.
fn cut(json: &str) -> Vec<String> {
    let mut parts = Vec::new();
    split(json, &mut parts);
    let mut data = Vec::new();
    let mut texts = String::new();
    for part in &parts {
        match part {
            Part::Bytes(bytes) => texts.push_str(std::str::from_utf8(bytes).expect("text")),
            Part::Media(_) => texts.push('\u{0}'),
        }
    }
    // What is missing between two texts is what was cut out.
    let mut rest = json;
    let mut pieces = texts.split('\u{0}');
    rest = rest.strip_prefix(pieces.next().expect("one at least")).expect("text as it is written");
    for piece in pieces {
        let end = rest.find(piece).expect("text as it is written");
        data.push(rest[..end].to_owned());
        rest = &rest[end + piece.len()..];
    }
    assert!(rest.len() <= 1, "{rest}");
    let hashes: Vec<_> =
        parts.iter().filter_map(|it| if let Part::Media(hash) = it { Some(*hash) } else { None }).collect();
    assert_eq!(hashes, data.iter().map(|it| hash(it)).collect::<Vec<_>>());
    data
}

fn chat(part: &Value) -> String {
    json!([{"role": "user", "content": [{"type": "text", "text": "What is \"type\":\"image\"?"}, part]}, {"role": "user", "content": "hi"}]).to_string()
}

#[test]
fn media_of_every_shape_are_cut_out() {
    for part in [
        json!({"type": "image_url", "image_url": {"url": "DATA", "detail": "low"}}),
        json!({"image_url": {"detail": "low", "url": "DATA"}, "type": "image_url"}),
        json!({"type": "image_url", "image_url": "DATA"}),
        json!({"type": "input_audio", "input_audio": {"data": "DATA", "format": "wav"}}),
        json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "DATA"}}),
        json!({"type": "file", "file": {"file_id": "DATA"}}),
        json!({"type": "audio_url", "audio_url": {"url": "DATA"}}),
        json!({"type": "video_url", "video_url": {"url": "DATA"}}),
        json!({"type": "input_image", "image_url": "DATA", "detail": "auto"}),
        json!({"type": "input_image", "file_id": "DATA"}),
        json!({"type": "input_file", "file_data": "DATA", "filename": "a.pdf"}),
        json!({"type": "input_file", "file_url": "DATA"}),
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "DATA"}}),
        json!({"type": "image", "source": {"type": "url", "url": "DATA"}}),
        json!({"type": "image", "source": {"type": "file", "file_id": "DATA"}, "cache_control": {"type": "ephemeral"}}),
        json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "DATA"}, "title": "t"}),
        json!({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {"type": "url", "url": "DATA"}}]}}),
        json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}, {"type": "image", "source": {"type": "base64", "data": "DATA"}}]}),
        json!({"type": "function_call_output", "output": [{"type": "input_image", "image_url": "DATA"}]}),
        json!({"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "DATA"}}),
        json!({"type": "image_generation_call", "result": "DATA"}),
        json!({"type": "image_embeds", "image_embeds": "DATA"}),
        json!({"type": "image_embeds", "image_embeds": {"image_embeds": "DATA", "image_grid_thw": "AAAA"}}),
        json!({"type": "audio_embeds", "audio_embeds": "DATA"}),
        json!({"image_url": {"url": "DATA"}}),
        json!({"image_url": "DATA"}),
        json!({"audio_url": "DATA", "uuid": "u"}),
        json!({"video_url": {"url": "DATA"}, "type": null}),
        json!({"type": "code_interpreter_call", "code": "plot()", "outputs": [{"type": "logs", "logs": "a"}, {"type": "image", "url": "DATA"}]}),
    ] {
        for (json, nth) in [(chat(&part), "in a message"), (json!([part]).to_string(), "as an item")] {
            assert!(has_any(&json), "{json}");
            assert_eq!(cut(&json), ["DATA"], "{nth}: {json}");
        }
        let pretty = serde_json::to_string_pretty(&json!([part])).expect("plain data");
        assert!(has_any(&pretty) && cut(&pretty) == ["DATA"], "{pretty}");
    }
}

#[test]
fn a_film_as_a_list_of_pictures_is_one_medium() {
    let json = json!([{"role": "user", "content": [{"type": "video", "video": ["a", "b"], "fps": 2}]}]).to_string();
    assert!(has_any(&json));
    assert_eq!(cut(&json), [r#"["a","b"]"#]);
}

#[test]
fn a_long_data_url_is_a_medium_wherever_it_stands() {
    let data = |length: usize| format!("data:image/png;base64,{}", "A".repeat(length));
    let long = data(LONG);
    for part in [
        json!({"type": "picture_of_tomorrow", "picture": {"raw": long}}),
        json!({"type": "image_url", "image_url": {"url": long}}),
        json!({"type": "tool_use", "input": {"picture": long}}),
    ] {
        let json = chat(&part);
        assert!(has_any(&json));
        assert_eq!(cut(&json), [long.as_str()], "{}", part["type"]);
    }
    let film = json!([{"type": "video", "video": [long, long]}]).to_string();
    assert_eq!(cut(&film).len(), 1, "not its pictures as well");
    let stream = format!("data: {}", "x ".repeat(LONG));
    for text in [&data(1000), &stream, &format!("\"{long}\""), &format!(" {long}")] {
        let json = json!([{"role": "user", "content": text}]).to_string();
        assert!(!has_any(&json) && cut(&json).is_empty(), "{}", &text[..30]);
    }
    assert!(!has_any(&json!(long).to_string()), "a whole prompt is text");
}

#[test]
fn what_is_no_medium_stays_text() {
    for part in [
        json!({"type": "text", "text": "{\"type\":\"image\",\"source\":{\"data\":\"AAAA\"}}"}),
        json!({"type": "tool_use", "id": "t", "name": "n", "input": {"url": "u", "file": "f"}}),
        json!({"type": "input_text", "text": "a"}),
        json!({"type": "link", "my_url": "a"}),
        json!({"type": "reasoning", "encrypted_content": "AAAA", "content": null}),
    ] {
        let json = chat(&part);
        assert!(!has_any(&json) && cut(&json).is_empty(), "{json}");
    }
    let document =
        json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a text"}});
    assert_eq!(cut(&chat(&document)), [""; 0]);
    assert_eq!(cut(&chat(&json!({"type": "image_url", "image_url": {"url": ""}}))), [""; 0]);
    assert_eq!(cut(&chat(&json!({"type": "image_url", "image_url": null}))), [""; 0]);
}

#[test]
fn blocks_after_a_removed_one_are_looked_into() {
    assert_eq!(cut(r#",{"type":"text","text":"a"},{"type":"image","source":{"data":"DATA"}}]"#), ["DATA"]);
}

#[test]
fn a_flood_of_media_is_told_apart_up_to_the_most_and_the_rest_is_one() {
    let flood = |last: &str| {
        let mut parts = vec![json!({"type": "image_url", "image_url": "DATA"}); MOST_MEDIA + 10];
        parts.push(json!({"type": "image_url", "image_url": last}));
        let (texts, beside) = (json!(parts).to_string(), json!(vec!["DATA"; MOST_MEDIA + 10]).to_string());
        let mut all = Vec::new();
        split(&texts, &mut all);
        let mut pieces = Pieces::default();
        list(&beside.replacen("\"DATA\"]", &format!("\"{last}\"]"), 1), &mut pieces);
        let hash = |part: &Part<'_>| if let Part::Media(hash) = part { Some(*hash) } else { None };
        let media = |parts: &[Part<'_>]| parts.iter().filter_map(hash).collect::<Vec<_>>();
        let before = pieces.parts().len();
        pieces.text(&texts, &[], &find(&texts));
        assert_eq!(media(&pieces.parts()[before..]).len(), 1, "the bound is that of the request");
        [media(&all), media(&pieces.parts()[..before])]
    };
    for (one, other) in flood("DATA").iter().zip(&flood("OTHER")) {
        assert_eq!((one.len(), &one[..MOST_MEDIA]), (MOST_MEDIA + 1, &other[..MOST_MEDIA]));
        assert_ne!(one[MOST_MEDIA], other[MOST_MEDIA], "another picture makes another prompt");
    }
}

#[test]
fn deep_nesting_is_not_followed() {
    let deep =
        format!("{}{}{}", "[".repeat(100_000), r#"{"type":"image","source":{"data":"DATA"}}"#, "]".repeat(100_000));
    assert_eq!(cut(&deep), [""; 0]);
}

/// One turn of a conversation: text, or text and a picture.
fn turn() -> impl Strategy<Value = Value> {
    (".{0,20}", prop::option::of("[A-Za-z0-9+/]{1,30}")).prop_map(|(text, picture)| match picture {
        Some(data) => json!({"role": "user", "content": [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}}]}),
        None => json!({"role": "user", "content": text}),
    })
}

proptest! {
    #[test]
    fn a_longer_conversation_has_the_same_parts_in_front(mut turns in prop::collection::vec(turn(), 0..6), more in prop::collection::vec(turn(), 0..6)) {
        let short = json!(turns).to_string();
        turns.extend(more);
        let long = json!(turns).to_string();
        let (mut a, mut b) = (Vec::new(), Vec::new());
        split(&short, &mut a);
        split(&long, &mut b);
        let last = a.len() - 1;
        prop_assert_eq!(&a[..last], &b[..last]);
        let (Part::Bytes(end), Part::Bytes(longer)) = (a[last], b[last]) else { panic!("text comes last") };
        prop_assert!(longer.starts_with(end));
    }

    #[test]
    fn pictures_are_found_wherever_they_are(turns in prop::collection::vec(turn(), 0..6)) {
        let expected: Vec<_> = turns.iter().filter_map(|it| it["content"][1]["image_url"]["url"].as_str()).collect();
        let mut parts = Vec::new();
        let json = json!(turns).to_string();
        split(&json, &mut parts);
        let found: Vec<_> = parts.iter().filter(|it| matches!(it, Part::Media(_))).copied().collect();
        prop_assert_eq!(found, expected.iter().map(|it| Part::Media(hash(it))).collect::<Vec<_>>());
        prop_assert_eq!(has_any(&json), !expected.is_empty());
    }

    #[test]
    fn text_that_is_not_json_does_no_harm(json in "[\\[\\]{}\",: \\\\atype]{0,60}") {
        has_any(&json);
        split(&json, &mut Vec::new());
        list(&json, &mut Pieces::default());
    }
}
