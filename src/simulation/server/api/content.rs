//! The content of a message, of whichever API, as the text that the model would see.
//!
//! Images, sounds and files are worth a fixed number of tokens, which depend on their data alone: the same
//! picture is the same prompt, another picture is another one.

use serde::Deserialize;
use serde_json::Value;

use crate::simulation::words::Words;

/// What one image, sound or file counts.
pub const MEDIA_TOKENS: u64 = 256;

/// Text, or a list of parts.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<Value>),
}

// === impl Content ===

impl Content {
    pub fn render(&self, bytes_per_token: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().map(|part| render_part(part, bytes_per_token)).collect(),
        }
    }
}

/// Text as itself, media as words that stand for their data, anything else as its JSON.
fn render_part(part: &Value, bytes_per_token: usize) -> String {
    let kind = part["type"].as_str().unwrap_or_default();
    if let Some(text) = part["text"].as_str().or(part["thinking"].as_str()) {
        return text.to_owned();
    }
    if kind == "tool_result" {
        return match &part["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().map(|part| render_part(part, bytes_per_token)).collect(),
            _ => String::new(),
        };
    }
    let source = &part["source"];
    if source["type"] == "text" {
        return source["data"].as_str().unwrap_or_default().to_owned();
    }
    match media(part) {
        Some(data) => Words::seeded(data.as_bytes(), bytes_per_token).text(MEDIA_TOKENS),
        None => part.to_string(),
    }
}

/// The data of a part that is no text, or where it is.
fn media(part: &Value) -> Option<&str> {
    // Where OpenAI's and Anthropic's APIs keep it, below the part itself.
    const PLACES: [&str; 13] = [
        "/image_url/url",
        "/image_url",
        "/audio_url/url",
        "/video_url/url",
        "/input_audio/data",
        "/source/data",
        "/source/url",
        "/source/file_id",
        "/file/file_data",
        "/file/file_id",
        "/file_data",
        "/file_url",
        "/file_id",
    ];
    PLACES.iter().find_map(|place| part.pointer(place)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(content: Value) -> String {
        serde_json::from_value::<Content>(content).expect("content").render(4)
    }

    #[test]
    fn text_is_itself_in_every_apis_words() {
        for (content, expected) in [
            (json!("plain"), "plain"),
            (json!([{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}]), "ab"),
            (json!([{"type": "output_text", "text": "c", "annotations": []}]), "c"),
            (json!([{"type": "thinking", "thinking": "hm", "signature": "x"}]), "hm"),
            (json!([{"type": "tool_result", "tool_use_id": "1", "content": "sun"}]), "sun"),
            (json!([{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "sun"}]}]), "sun"),
            (json!([{"type": "tool_result", "tool_use_id": "1"}]), ""),
            (json!([{"type": "document", "source": {"type": "text", "data": "page"}}]), "page"),
            (json!([{"a": 1}]), r#"{"a":1}"#),
        ] {
            assert_eq!(rendered(content.clone()), expected, "{content}");
        }
    }

    #[test]
    fn media_count_the_same_number_of_tokens_and_differ_by_their_data_alone() {
        let parts = |data: &str| {
            [
                json!({"type": "image_url", "image_url": {"url": data, "detail": "low"}}),
                json!({"type": "image_url", "image_url": {"url": data}}),
                json!({"type": "input_image", "image_url": data}),
                json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}),
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}),
                json!({"type": "image", "source": {"type": "url", "url": data}}),
                json!({"type": "input_file", "file_data": data, "filename": "a.pdf"}),
            ]
        };
        let tall = "t".repeat(5_000);
        let expected = Words::seeded(b"dove", 4).text(MEDIA_TOKENS);
        for (dove, other) in parts("dove").into_iter().zip(parts(&tall)) {
            assert_eq!(rendered(json!([dove])), expected, "{dove}");
            let other = rendered(json!([other]));
            assert_eq!(other.len(), expected.len(), "{dove}");
            assert_ne!(other, expected, "{dove}");
        }
    }
}
