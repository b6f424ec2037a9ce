//! OpenAI's embeddings: a prefill without a decode, and a vector that depends on the prompt alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::prompts::Prompts;
use super::{Asked, Facts, Reply};
use crate::simulation::server::generation::{Answer, Piece, Usage};

/// Numbers in a vector, where the request does not say; at most [`MOST`].
const DIMENSIONS: usize = 16;
const MOST: usize = 4_096;

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: Prompts,
    #[serde(default)]
    encoding_format: Format,
    dimensions: Option<usize>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Float,
    /// Little-endian 32-bit floats.
    Base64,
}

struct Embeddings {
    facts: Facts,
    vectors: Vec<Vec<f32>>,
    format: Format,
}

pub fn read(body: &[u8], facts: Facts) -> Result<Asked, serde_json::Error> {
    let Request { model, input, encoding_format: format, dimensions } = serde_json::from_slice(body)?;
    let prompts = input.into_texts(facts.bytes_per_token);
    let dimensions = dimensions.unwrap_or(DIMENSIONS).clamp(1, MOST);
    let vectors = prompts.iter().map(|prompt| vector(prompt, dimensions)).collect();
    let reply = Box::new(Embeddings { facts, vectors, format });
    // The model counts at least one token of answer; a single one ends with the prefill.
    Ok(Asked { model, prompts, output: Some(1), streams: false, reply })
}

/// A vector of length 1.
fn vector(prompt: &[u8], dimensions: usize) -> Vec<f32> {
    let number = |seed| (xxh3_64_with_seed(prompt, seed) >> 40) as f32 / (1 << 23) as f32 - 1.0;
    let numbers: Vec<f32> = (1..).take(dimensions).map(number).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    numbers.into_iter().map(|number| number / length).collect()
}

// === impl Format ===

impl Format {
    fn encode(self, vector: &[f32]) -> Value {
        match self {
            Self::Float => json!(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            }
        }
    }
}

// === impl Embeddings ===

impl Reply for Embeddings {
    fn whole(&mut self, _answers: Vec<Answer>, usage: Usage) -> Value {
        let one = |(index, vector): (usize, &Vec<f32>)| json!({"object": "embedding", "index": index, "embedding": self.format.encode(vector)});
        let data: Vec<Value> = self.vectors.iter().enumerate().map(one).collect();
        json!({"id": format!("embd-{}", self.facts.unique), "object": "list", "created": self.facts.now,
               "model": self.facts.model, "data": data,
               "usage": {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt, "completion_tokens": 0,
                         "prompt_tokens_details": {"cached_tokens": usage.cached}}})
    }

    // An embedding is never streamed.
    fn token(&mut self, _piece: &Piece, _usage: Usage) -> String {
        String::new()
    }

    fn end(&mut self, _usage: Usage) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_depends_on_its_prompt_alone_and_has_length_1() {
        let dove = vector(b"dove", 16);
        assert_eq!(dove, vector(b"dove", 16));
        assert_ne!(dove, vector(b"hawk", 16));
        let length: f32 = dove.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn both_formats_say_the_same_numbers() {
        let dove = vector(b"dove", 3);
        let text = Format::Base64.encode(&dove);
        let bytes = STANDARD.decode(text.as_str().expect("text")).expect("base64");
        let decoded: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        assert_eq!(decoded, dove);
        let floats: Vec<f32> = serde_json::from_value(Format::Float.encode(&dove)).expect("numbers");
        assert_eq!(floats, dove);
    }
}
