//! Whether a prompt's text holds anything to look into, found in one pass: most hold nothing.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, packed};

use super::media;

/// What announces a medium or a mark. In text inside strings the quotes are escaped.
const WORDS: [&str; 4] = ["\"type\"", "_url\"", "\"data:", "\"cache_control\""];

/// Looks at many bytes at once, where the processor can. The automaton would stop at each quote, and JSON is full of them.
static PACKED: LazyLock<Option<packed::Searcher>> = LazyLock::new(|| packed::Searcher::new(WORDS));
/// Where it cannot.
static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| match &*PACKED {
    Some(_) => None,
    None => AhoCorasick::new(WORDS).ok(),
});

/// What is worth a closer look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// A part says that it is a medium, or a string is one whatever says so.
    pub media: bool,
    /// There is a mark of what to cache.
    pub marks: bool,
}

/// Looks through a JSON text.
pub fn find(json: &str) -> Hints {
    let mut hints = Hints::default();
    let packed = PACKED.iter().flat_map(|words| words.find_iter(json));
    for word in packed.chain(AUTOMATON.iter().flat_map(|words| words.find_iter(json))) {
        match word.pattern().as_usize() {
            0 => hints.media |= media::is_type(json, word.end()),
            1 => hints.media |= media::is_short_form(json, word.end() - 1),
            2 => hints.media |= media::long_at(json, word.start()).is_some(),
            _ => hints.marks = true,
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
