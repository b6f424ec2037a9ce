//! One request from its body to its answer, whatever API it speaks.
//!
//! [`answer`] is the entry. An API is one file below: it reads its own body into an [`Asked`], and tells
//! the answer, whole or piece by piece, through its own [`Reply`]. Everything between is the same for all.

mod chat;
mod completions;
mod content;
mod embeddings;
mod messages;
mod prompts;
mod responses;
mod sglang;
mod sse;
mod token_ids;
mod vllm;

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::Value;

use super::EngineServer;
use super::error::{Refusal, Shape};
use super::generation::{Answer, Generation, Piece, Usage};
use super::routes::Body;

/// Tokens of an answer whose length the request leaves open.
const DEFAULT_OUTPUT_TOKENS: u64 = 64;

/// Which API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    Vllm,
    Sglang,
}

/// What a request of any API comes down to.
struct Asked {
    model: Option<String>,
    /// As the model would see them.
    prompts: Vec<Vec<u8>>,
    /// Tokens of each answer, if the request says.
    output: Option<u64>,
    streams: bool,
    reply: Box<dyn Reply>,
}

/// How an API tells an answer.
trait Reply: Send {
    /// All of it as one document; the answers stand in the order of the prompts.
    fn whole(&mut self, answers: Vec<Answer>, usage: Usage) -> Value;

    /// The events for one token.
    fn token(&mut self, piece: &Piece, usage: Usage) -> String;

    /// The events after the last token.
    fn end(&mut self, usage: Usage) -> String;
}

/// What an API needs to know of its engine and of this moment.
struct Facts {
    model: String,
    bytes_per_token: usize,
    /// Fit for the answer's id.
    unique: String,
    /// Seconds since 1970.
    now: u64,
}

/// `stream_options` of OpenAI's older APIs and of vLLM.
#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// Answers one request; the answer, or its stream, owns the work and drops it with itself.
pub async fn answer(engine: &Arc<EngineServer>, api: Api, body: &[u8]) -> Result<Response<Body>, Refusal> {
    let facts = Facts::of(engine);
    let model = &engine.identity.model;
    let Asked { model: asked, prompts, output, streams, mut reply } = api.read(body, facts)?;
    if let Some(asked) = asked.filter(|asked| asked != model) {
        return Err(Refusal::not_found(format!("The model `{asked}` does not exist."), Some("model")));
    }
    if prompts.iter().all(Vec::is_empty) {
        return Err(Refusal::bad_request("there is no prompt", None));
    }
    let output = output.unwrap_or(DEFAULT_OUTPUT_TOKENS);
    if output == 0 {
        return Err(Refusal::bad_request("max_tokens must be at least 1", Some("max_tokens")));
    }
    let too_long = |error| Refusal::bad_request(error, Some("input_tokens"));
    let mut generation = Generation::start(&engine.clockwork, prompts, output).map_err(too_long)?;
    if streams {
        return Ok(stream_answer(reply, generation));
    }
    let answers = generation.complete().await;
    Ok(json(StatusCode::OK, reply.whole(answers, generation.usage()).to_string()))
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn stream_answer(reply: Box<dyn Reply>, generation: Generation) -> Response<Body> {
    let events = stream::unfold(Some((reply, generation)), async |state| {
        let (mut reply, mut generation) = state?;
        let (text, next) = match generation.next_token().await {
            Some(piece) => (reply.token(&piece, generation.usage()), Some((reply, generation))),
            None => (reply.end(generation.usage()), None),
        };
        Some((Ok(Frame::data(Bytes::from(text))), next))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let content_type = header::HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

// === impl Api ===

impl Api {
    /// The API of a path.
    pub fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/chat/completions" => Self::Chat,
            "/v1/completions" => Self::Completions,
            "/v1/responses" => Self::Responses,
            "/v1/embeddings" => Self::Embeddings,
            "/v1/messages" => Self::Messages,
            "/inference/v1/generate" => Self::Vllm,
            "/generate" => Self::Sglang,
            _ => return None,
        })
    }

    /// How its refusals look.
    pub fn refusals(self) -> Shape {
        if self == Self::Messages { Shape::Anthropic } else { Shape::OpenAi }
    }

    fn read(self, body: &[u8], facts: Facts) -> Result<Asked, Refusal> {
        let read = match self {
            Self::Chat => chat::read,
            Self::Completions => completions::read,
            Self::Responses => responses::read,
            Self::Embeddings => embeddings::read,
            Self::Messages => messages::read,
            Self::Vllm => vllm::read,
            Self::Sglang => sglang::read,
        };
        read(body, facts).map_err(|error| Refusal::bad_request(error, None))
    }
}

// === impl Facts ===

impl Facts {
    fn of(engine: &EngineServer) -> Self {
        let bytes_per_token = engine.clockwork.read(|engine| engine.constants().bytes_per_token);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unique = uuid::Uuid::new_v4().simple().to_string();
        Self { model: engine.identity.model.clone(), bytes_per_token, unique, now: now.as_secs() }
    }
}
