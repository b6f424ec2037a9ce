//! Whether a prompt's text holds anything to look into, found in one pass: most hold nothing.

use memchr::memchr_iter;

use super::media;

/// What is worth a closer look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// A part says that it is a medium, or a string is one whatever says so.
    pub media: bool,
    /// There is a mark of what to cache.
    pub marks: bool,
}

/// Looks through a JSON text: at what stands around each of its quotes. In text inside strings they are escaped, so that
/// what only looks like a member is none.
pub fn find(json: &str) -> Hints {
    let mut hints = Hints::default();
    let bytes = json.as_bytes();
    for quote in memchr_iter(b'"', bytes) {
        let (before, after) = (&bytes[..quote], &bytes[quote + 1..]);
        match after.first() {
            Some(b't') if after.starts_with(b"type\"") => hints.media |= media::is_type(json, quote + "\"type\"".len()),
            Some(b'd') if after.starts_with(b"data:") => hints.media |= media::long_at(json, quote).is_some(),
            Some(b'c') if after.starts_with(b"cache_control\"") => hints.marks = true,
            _ if before.ends_with(b"_url") => hints.media |= media::is_short_form(json, quote),
            _ => {}
        }
        if hints.media && hints.marks {
            break;
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_text_is_a_hint() {
        let data = format!(r#"[{{"content":"data:image/png;base64,{}"}}]"#, "A".repeat(5000));
        for (json, media, marks) in [
            (r#"[{"type" : "image_url"}]"#, true, false),
            (r#"[{"type":"text","text":"x"},{"image_url":"x"}]"#, true, false),
            (r#"[{"other_url":"x"}]"#, false, false),
            (data.as_str(), true, false),
            (r#"[{"content":"data:short"}]"#, false, false),
            (r#"[{"type":"text","cache_control":{"type":"ephemeral"}}]"#, false, true),
            (r#"[{"type":"text","cache_control":{}},{"type":"input_audio"}]"#, true, true),
            (r#"[{"content":"{\"cache_control\":1,\"type\":\"image_url\",\"image_url\":\"data:x\"}"}]"#, false, false),
            ("", false, false),
        ] {
            assert_eq!(find(json), Hints { media, marks }, "{json:.80}");
        }
    }
}
