//! Prompts of the APIs that render nothing: texts or token ids, one or several.

use serde::Deserialize;

use super::token_ids;

/// A prompt, or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a string, an array of strings, or arrays of token ids")]
pub enum Prompts {
    Text(String),
    Texts(Vec<String>),
    Ids(Vec<u64>),
    SeveralIds(Vec<Vec<u64>>),
}

// === impl Prompts ===

impl Prompts {
    /// The prompts as the model would see them.
    pub fn into_texts(self, bytes_per_token: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Text(text) => vec![text.into_bytes()],
            Self::Texts(texts) => texts.into_iter().map(String::into_bytes).collect(),
            Self::Ids(ids) => vec![token_ids::to_text(&ids, bytes_per_token)],
            Self::SeveralIds(several) => several.iter().map(|ids| token_ids::to_text(ids, bytes_per_token)).collect(),
        }
    }

    /// Whether the request names one prompt, not a list of them.
    pub fn is_one(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Ids(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Vec<Vec<u8>> {
        serde_json::from_str::<Prompts>(json).expect("prompts").into_texts(4)
    }

    #[test]
    fn prompts_are_texts_or_ids_one_or_several() {
        for (json, expected) in [
            (r#""one""#, vec![b"one".to_vec()]),
            (r#"["one", "two"]"#, vec![b"one".to_vec(), b"two".to_vec()]),
            ("[1, 2]", vec![vec![1, 0, 0, 0, 2, 0, 0, 0]]),
            ("[[1], [2]]", vec![vec![1, 0, 0, 0], vec![2, 0, 0, 0]]),
            ("[]", vec![]),
        ] {
            assert_eq!(texts(json), expected, "{json}");
        }
        for wrong in ["1", "{}", r#"["one", 2]"#, "[-1]", "null"] {
            assert!(serde_json::from_str::<Prompts>(wrong).is_err(), "{wrong}");
        }
    }
}
