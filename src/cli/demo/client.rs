//! One streamed chat completion, timed.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::simulation::workload::Message;

const SESSION: HeaderName = HeaderName::from_static("x-session-id");
const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");

/// A client with its connections.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    uri: String,
}

/// A complete answer.
pub struct Answer {
    pub text: String,
    /// When the first content was there.
    pub first_content: Instant,
    /// Who served it.
    pub endpoint: String,
    /// The session id that came with it.
    pub session: Option<HeaderValue>,
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    prompt_tokens_details: Details,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: u64,
}

/// What the events of a stream have told so far.
#[derive(Default)]
struct Told {
    /// An event that has not ended yet.
    partial: Vec<u8>,
    text: String,
    first_content: Option<Instant>,
    usage: Option<Usage>,
    done: bool,
}

// === impl Client ===

impl Client {
    /// A client of one gateway.
    pub fn new(gateway: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new()).build(connector);
        Self { pool, uri: format!("http://{gateway}/v1/chat/completions") }
    }

    /// Sends the messages and reads the answer to its end.
    ///
    /// # Errors
    /// Anything but a complete answer with its usage.
    pub async fn ask(
        &self,
        messages: &[Message],
        answer_tokens: u64,
        session: Option<&HeaderValue>,
    ) -> anyhow::Result<Answer> {
        let body = json!({"messages": messages, "max_tokens": answer_tokens, "stream": true,
                          "stream_options": {"include_usage": true}});
        let mut request = Request::post(&self.uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(session) = session {
            request = request.header(SESSION, session);
        }
        let response = self.pool.request(request.body(Full::new(Bytes::from(body.to_string())))?).await?;
        anyhow::ensure!(response.status().is_success(), "answered {}", response.status());
        let endpoint = response.headers().get(SERVED_BY).context("no engine named itself")?.to_str()?.to_owned();
        let session = response.headers().get(SESSION).cloned();

        let mut told = Told::default();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                told.read(&data)?;
            }
        }
        let Told { text, first_content, usage, done, .. } = told;
        anyhow::ensure!(done, "the stream ended early");
        let first_content = first_content.context("the answer is empty")?;
        let Usage { prompt_tokens, prompt_tokens_details } = usage.context("the answer has no usage")?;
        let cached_tokens = prompt_tokens_details.cached_tokens;
        Ok(Answer { text, first_content, endpoint, session, prompt_tokens, cached_tokens })
    }
}

// === impl Told ===

impl Told {
    fn read(&mut self, data: &[u8]) -> anyhow::Result<()> {
        self.partial.extend_from_slice(data);
        while let Some(end) = self.partial.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.partial.drain(..end + 2).collect();
            let event = event.trim_ascii().strip_prefix(b"data: ").context("not an event")?;
            if event == b"[DONE]" {
                self.done = true;
                continue;
            }
            let Chunk { choices, usage } = serde_json::from_slice(event)?;
            self.usage = usage.or(self.usage.take());
            for content in choices.into_iter().map(|choice| choice.delta.content).filter(|text| !text.is_empty()) {
                self.first_content.get_or_insert_with(Instant::now);
                self.text.push_str(&content);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_wherever_they_are_cut() {
        let stream = concat!(
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"why \"}}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n",
            "data: [DONE]\n\n"
        );
        for cut in 0..stream.len() {
            let mut told = Told::default();
            told.read(&stream.as_bytes()[..cut]).expect("events");
            told.read(&stream.as_bytes()[cut..]).expect("events");
            assert!(told.done && told.text == "why " && told.first_content.is_some());
            assert_eq!(told.usage.map(|usage| usage.prompt_tokens_details.cached_tokens), Some(4));
        }
    }
}
