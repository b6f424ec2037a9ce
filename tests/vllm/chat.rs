//! One streamed chat completion, as the engine counts it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::http::{Client, client};

/// What one answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who asks, and how.
#[derive(Clone)]
pub struct Asker {
    client: Client,
    uri: String,
    model: &'static str,
    answer_tokens: u32,
    /// The only tokens of answers.
    words: std::sync::Arc<[u32]>,
}

/// One message, as the OpenAI API writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    pub role: &'static str,
    pub content: String,
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The gateway's `x-request-id`, which the engine puts into the answer's id.
    pub request_id: String,
    pub text: String,
    pub first_token: Duration,
    pub prompt_tokens: u64,
    /// Of these, those that the engine had in its cache.
    pub cached_tokens: u64,
}

#[derive(Deserialize)]
struct Chunk {
    id: String,
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
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    // Not known is not 0.
    cached_tokens: Option<u64>,
}

// === impl Asker ===

impl Asker {
    pub fn new(to: SocketAddr, model: &'static str, answer_tokens: u32, words: &[u32]) -> Self {
        let uri = format!("http://{to}/v1/chat/completions");
        Self { client: client(), uri, model, answer_tokens, words: words.into() }
    }

    /// Sends the messages and reads the answer to its end.
    pub async fn ask(&self, session: Option<&str>, messages: &[Message]) -> anyhow::Result<Answer> {
        timeout(PATIENCE, self.exchange(session, messages)).await.context("no whole answer in time").flatten()
    }

    async fn exchange(&self, session: Option<&str>, messages: &[Message]) -> anyhow::Result<Answer> {
        let Self { client, uri, model, answer_tokens, words } = self;
        let body = json!({
            "model": model, "messages": messages, "max_tokens": answer_tokens, "ignore_eos": true, "temperature": 0,
            "allowed_token_ids": words, "stream": true, "stream_options": {"include_usage": true},
        });
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(session) = session {
            request = request.header("x-session-id", session);
        }
        let asked = Instant::now();
        let response = client.request(request.body(Full::new(Bytes::from(body.to_string())))?).await?;
        let status = response.status();
        let mut body = response.into_body();
        // How much had arrived when.
        let (mut bytes, mut arrived) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            bytes.extend_from_slice(&data);
            arrived.push((bytes.len(), asked.elapsed()));
        }
        let text = String::from_utf8(bytes)?;
        ensure!(status.is_success(), "answered {status}: {}", text.trim());
        Answer::read(&text, &arrived)
    }
}

// === impl Answer ===

impl Answer {
    /// An answer from the events of its stream; `arrived` says how many bytes of them had arrived when.
    pub fn read(events: &str, arrived: &[(usize, Duration)]) -> anyhow::Result<Answer> {
        let (mut text, mut id, mut usage, mut done) = (String::new(), String::new(), None, false);
        let (mut read, mut first_token) = (0, None);
        for event in events.split_inclusive("\n\n") {
            read += event.len();
            let Some(event) = event.trim().strip_prefix("data: ") else { continue };
            if event == "[DONE]" {
                done = true;
                continue;
            }
            let chunk: Chunk = serde_json::from_str(event).with_context(|| event.to_owned())?;
            text.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content));
            usage = chunk.usage.or(usage);
            id = chunk.id;
            if first_token.is_none() && !text.is_empty() {
                first_token = arrived.iter().find(|(bytes, _)| *bytes >= read).map(|(_, at)| *at);
            }
        }
        let first_token = first_token.context("the answer is empty")?;
        ensure!(done, "the stream ended early");
        let Usage { prompt_tokens, prompt_tokens_details } = usage.context("the answer has no usage")?;
        let cached_tokens = prompt_tokens_details.and_then(|details| details.cached_tokens);
        let cached_tokens = cached_tokens.context("usage tells no cached_tokens: --enable-prompt-tokens-details")?;
        let request_id = id.strip_prefix("chatcmpl-").unwrap_or(&id).to_owned();
        Ok(Answer { request_id, text, first_token, prompt_tokens, cached_tokens })
    }
}
