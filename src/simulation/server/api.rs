//! One generation request from its body to its answer.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use super::EngineServer;
use super::error::Refusal;
use super::generation::Generation;
use super::reply::{DONE, Envelope};
use super::request::{ChatRequest, Common, CompletionRequest};
use super::routes::Body;

/// Tokens of an answer whose length the request leaves open.
const DEFAULT_OUTPUT_TOKENS: u64 = 64;

/// Which of the two APIs a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Chat,
    Completions,
}

/// Answers one request; the answer, or its stream, owns the work and drops it with itself.
pub async fn generate(engine: &Arc<EngineServer>, api: Api, body: &[u8]) -> Result<Response<Body>, Refusal> {
    let Asked { common, prompts, output } = read(api, body)?;
    let model = &engine.identity.model;
    if let Some(asked) = common.model.as_ref().filter(|asked| *asked != model) {
        return Err(Refusal::not_found(format!("The model `{asked}` does not exist."), Some("model")));
    }
    let output = output.unwrap_or(DEFAULT_OUTPUT_TOKENS);
    if output == 0 {
        return Err(Refusal::bad_request("max_tokens must be at least 1", Some("max_tokens")));
    }
    let too_long = |error| Refusal::bad_request(error, Some("input_tokens"));
    let mut generation = Generation::start(&engine.clockwork, prompts, output).map_err(too_long)?;
    let envelope = Envelope::new(api, model);
    if common.streams() {
        return Ok(stream_answer(envelope, generation, common.wants_usage()));
    }
    let texts = generation.complete().await;
    Ok(json(StatusCode::OK, envelope.whole(texts, generation.usage())))
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// What both APIs come down to.
struct Asked {
    common: Common,
    /// Rendered.
    prompts: Vec<Vec<u8>>,
    /// Tokens of each answer, if the request says.
    output: Option<u64>,
}

fn read(api: Api, body: &[u8]) -> Result<Asked, Refusal> {
    let invalid = |error: serde_json::Error| Refusal::bad_request(error, None);
    match api {
        Api::Chat => {
            let request: ChatRequest = serde_json::from_slice(body).map_err(invalid)?;
            let prompt = request.render();
            let output = request.max_completion_tokens.or(request.common.max_tokens);
            Ok(Asked { common: request.common, prompts: vec![prompt], output })
        }
        Api::Completions => {
            let CompletionRequest { prompt, common } = serde_json::from_slice(body).map_err(invalid)?;
            let prompts = prompt.into_texts();
            if prompts.is_empty() {
                return Err(Refusal::bad_request("prompt must not be empty", Some("prompt")));
            }
            let output = common.max_tokens;
            Ok(Asked { common, prompts, output })
        }
    }
}

fn stream_answer(envelope: Envelope, generation: Generation, with_usage: bool) -> Response<Body> {
    enum Next {
        Token,
        End,
        Nothing,
    }
    let state = (envelope, generation, Next::Token);
    let events = stream::unfold(state, move |(envelope, mut generation, next)| async move {
        let (text, next) = match next {
            Next::Token => match generation.next_token().await {
                Some(piece) => (envelope.events(&piece), Next::Token),
                None if with_usage => (envelope.usage_event(generation.usage()), Next::End),
                None => (DONE.to_owned(), Next::Nothing),
            },
            Next::End => (DONE.to_owned(), Next::Nothing),
            Next::Nothing => return None,
        };
        Some((Ok(Frame::data(Bytes::from(text))), (envelope, generation, next)))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let content_type = header::HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
