//! What an answer says of its tokens, read from its last bytes as they pass by.

use serde::Deserialize;

use crate::pick::Usage;

/// `usage` stands at the end of an answer; so many bytes of it are kept.
const TAIL_BYTES: usize = 4096;

/// The members that hold it: everybody's, and SGLang's own.
const KEYS: [&[u8]; 2] = [b"\"usage\"", b"\"meta_info\""];

/// Follows the body of one response; holds a bounded tail, never the body.
#[derive(Debug, Default)]
pub struct UsageReader {
    tail: Vec<u8>,
    events: u64,
    bytes: u64,
    is_event_stream: bool,
    /// The first byte that is no space: `[` begins the answers to a batch.
    begin: Option<u8>,
}

/// Tokens by the names of OpenAI and SGLang, or by those of Anthropic and OpenAI's responses.
#[derive(Deserialize)]
struct Reported {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    // Anthropic counts these beside `input_tokens`.
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

impl UsageReader {
    /// A reader for one response.
    pub fn new(is_event_stream: bool) -> Self {
        Self { is_event_stream, ..Self::default() }
    }

    /// Takes in a chunk; where it is cut does not matter, but for the count of events that straddle a cut.
    pub fn chunk(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.begin = self.begin.or_else(|| chunk.iter().copied().find(|byte| !byte.is_ascii_whitespace()));
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
    ///
    /// Only the last report counts, and only if it stands in the last bytes. Where an Anthropic stream tells the
    /// prompt's tokens in its first event alone, they are known only if the whole answer is as short as that. SGLang
    /// reports for each prompt of a batch: the last report is not that of the request, and counts for nothing.
    pub fn finish(&self, bytes_per_token: f64) -> Usage {
        let counted = if self.is_event_stream { self.events } else { (self.bytes as f64 / bytes_per_token) as u64 };
        let Some((reported, before)) = self.reported(&self.tail) else {
            return Usage { prompt_tokens: None, answer_tokens: counted };
        };
        let first = || before.and_then(|before| self.reported(before)?.0.prompt());
        let prompt_tokens = reported.prompt().or_else(first);
        // A report of the prompt alone is that of embeddings: the answer is no text.
        let silent = if prompt_tokens.is_some() { 0 } else { counted };
        Usage { prompt_tokens, answer_tokens: reported.answer().unwrap_or(silent) }
    }

    /// The last report in `bytes`, and what stands before it.
    fn reported<'a>(&self, bytes: &'a [u8]) -> Option<(Reported, Option<&'a [u8]>)> {
        if !self.is_event_stream && self.begin == Some(b'[') {
            return None;
        }
        // Forward, though the last is wanted: backward the search goes byte by byte.
        let last = |key: &&'static [u8]| Some((memchr::memmem::find_iter(bytes, key).last()?, *key));
        let (at, key) = KEYS.iter().filter_map(last).max()?;
        let colon = at + key.len();
        let colon = colon + memchr::memchr(b':', &bytes[colon..])? + 1;
        // A stream, because more JSON follows the object.
        let mut report = serde_json::Deserializer::from_slice(&bytes[colon..]).into_iter();
        let reported = report.next()?.ok()?;
        let rest = bytes[colon + report.byte_offset()..].split(|byte| *byte == b'\n').next()?;
        if self.is_event_stream && key == KEYS[1] && memchr::memmem::find(rest, b"\"index\"").is_some() {
            return None;
        }
        Some((reported, self.is_event_stream.then_some(&bytes[..at])))
    }
}

impl Reported {
    fn prompt(&self) -> Option<u64> {
        let cached = [self.cache_read_input_tokens, self.cache_creation_input_tokens].into_iter().flatten();
        let input = self.input_tokens.map(|tokens| cached.fold(tokens, u64::saturating_add));
        self.prompt_tokens.or(input).filter(|tokens| *tokens > 0)
    }

    fn answer(&self) -> Option<u64> {
        self.completion_tokens.or(self.output_tokens)
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
    fn every_api_is_understood() {
        let usage = |prompt, answer| Usage { prompt_tokens: Some(prompt), answer_tokens: answer };
        for (answer, expected) in [
            (
                r#"{"usage":{"prompt_tokens":7,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":4}},"x":1}"#,
                usage(7, 8),
            ),
            (
                r#"{"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":4},"output_tokens":8}}"#,
                usage(7, 8),
            ),
            (
                r#"{"usage":{"input_tokens":7,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":8}}"#,
                usage(127, 8),
            ),
            (r#"{"usage":{"input_tokens":7,"cache_creation_input_tokens":null,"output_tokens":8}}"#, usage(7, 8)),
            (
                r#"{"text":"a","meta_info":{"id":"x","finish_reason":null,"prompt_tokens":7,"completion_tokens":8,"cached_tokens":0}}"#,
                usage(7, 8),
            ),
            (r#"{"data":[{"embedding":[0.1,0.2]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#, usage(7, 0)),
        ] {
            assert_eq!(read(answer, false, 5), expected, "{answer}");
        }
        assert_eq!(read(r#"{"usage":null}"#, false, 5), Usage { prompt_tokens: None, answer_tokens: 3 });
    }

    #[test]
    fn an_anthropic_stream_tells_its_prompt_first_and_its_answer_last() {
        let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n";
        let delta = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\n";
        let end = "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
        let cumulative = "data: {\"type\":\"message_delta\",\"usage\":{\"input_tokens\":107,\"output_tokens\":15}}\n\n";
        let told = |prompt_tokens| Usage { prompt_tokens, answer_tokens: 15 };
        assert_eq!(read(&format!("{start}{delta}{end}"), true, 50), told(Some(107)));
        assert_eq!(read(&format!("{start}{}{cumulative}", delta.repeat(500)), true, 50), told(Some(107)));
        assert_eq!(read(&format!("{start}{}{end}", delta.repeat(500)), true, 50), told(None), "a bounded tail");
    }

    #[test]
    fn the_last_report_of_a_batch_is_not_that_of_the_request() {
        let item = |end: &str| {
            format!(r#"{{"text":"a","meta_info":{{"id":"x","prompt_tokens":7,"completion_tokens":8}}{end}}}"#)
        };
        let batch = format!("\n [{},{}]", item(""), item(""));
        for cut in [1, 50, 500] {
            let tokens = batch.len() as u64 / 4;
            assert_eq!(read(&batch, false, cut), Usage { prompt_tokens: None, answer_tokens: tokens });
            let streamed =
                format!("data: {}\n\ndata: {}\n\ndata: [DONE]\n\n", item(r#","index":0"#), item(r#","index":1"#));
            assert_eq!(read(&streamed, true, 500), Usage { prompt_tokens: None, answer_tokens: 3 });
            let alone = format!("data: {}\n\ndata: [DONE]\n\n", item(""));
            assert_eq!(read(&alone, true, cut), Usage { prompt_tokens: Some(7), answer_tokens: 8 });
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
