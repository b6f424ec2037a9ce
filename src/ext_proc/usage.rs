//! What an answer says of its tokens, read from its last bytes as they pass by.

use serde::Deserialize;

use crate::pick::Usage;

/// `usage` stands at the end of an answer; so many bytes of it are kept.
const TAIL_BYTES: usize = 4096;

/// Follows the body of one response; holds a bounded tail, never the body.
#[derive(Debug, Default)]
pub struct UsageReader {
    tail: Vec<u8>,
    events: u64,
    bytes: u64,
    is_event_stream: bool,
}

#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

impl UsageReader {
    /// A reader for one response.
    pub fn new(is_event_stream: bool) -> Self {
        Self { is_event_stream, ..Self::default() }
    }

    /// Takes in a chunk; where it is cut does not matter, but for the count of events that straddle a cut.
    pub fn chunk(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        if self.is_event_stream {
            self.events += memchr::memmem::find_iter(chunk, b"data:").count() as u64;
        }
        let fresh = &chunk[chunk.len().saturating_sub(TAIL_BYTES)..];
        let kept = TAIL_BYTES.saturating_sub(fresh.len()).min(self.tail.len());
        if self.tail.len() + fresh.len() > 2 * TAIL_BYTES {
            self.tail.drain(..self.tail.len() - kept);
        }
        self.tail.extend_from_slice(fresh);
    }

    /// What the whole answer said or showed: `usage`, else its events, else its bytes over `bytes_per_token`.
    pub fn finish(&self, bytes_per_token: f64) -> Usage {
        let reported = self.reported();
        let counted = if self.is_event_stream { self.events } else { (self.bytes as f64 / bytes_per_token) as u64 };
        Usage {
            prompt_tokens: reported.as_ref().and_then(|usage| usage.prompt_tokens).filter(|tokens| *tokens > 0),
            answer_tokens: reported.and_then(|usage| usage.completion_tokens).unwrap_or(counted),
        }
    }

    fn reported(&self) -> Option<Reported> {
        let key = b"\"usage\"";
        let from = memchr::memmem::rfind(&self.tail, key)? + key.len();
        let colon = from + memchr::memchr(b':', &self.tail[from..])? + 1;
        // A stream, because more JSON follows the object.
        serde_json::Deserializer::from_slice(&self.tail[colon..]).into_iter::<Reported>().next()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SSE: &str = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1482,\"total_tokens\":1490,\"completion_tokens\":8}}\n\n",
        "data: [DONE]\n\n"
    );

    fn read(answer: &str, sse: bool, cuts: usize) -> Usage {
        let mut reader = UsageReader::new(sse);
        answer.as_bytes().chunks(cuts).for_each(|chunk| reader.chunk(chunk));
        reader.finish(4.0)
    }

    proptest! {
        #[test]
        fn usage_is_found_wherever_chunks_are_cut(cut in 1usize..300, filler in 0usize..20_000) {
            let long = format!("data: {{\"x\":\"{}\"}}\n\n{SSE}", "y".repeat(filler));
            prop_assert_eq!(read(&long, true, cut), Usage { prompt_tokens: Some(1482), answer_tokens: 8 });
            prop_assert!(UsageReader::default().tail.len() <= 2 * TAIL_BYTES);
        }
    }

    #[test]
    fn without_usage_events_or_bytes_are_counted() {
        assert_eq!(
            read("data: {\"a\":1}\n\ndata: {\"b\":2}\n\n", true, 1000),
            Usage { prompt_tokens: None, answer_tokens: 2 }
        );
        assert_eq!(read(&"x".repeat(400), false, 7), Usage { prompt_tokens: None, answer_tokens: 100 });
    }
}
