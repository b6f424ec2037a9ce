//! Paths, methods and sizes; every answer says who served it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::api::{self, Api};
use super::error::{Refusal, Shape};
use super::{EngineServer, metrics_page};

/// The body of every answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The largest request body, in bytes: twice what Homing keeps by default.
const REQUEST_BODY: usize = 64 * 1024 * 1024;

const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");

/// Answers one request; never fails, refusals are answers too.
pub async fn answer(engine: &Arc<EngineServer>, request: Request<Incoming>) -> Response<Body> {
    let shape = Api::at(request.uri().path()).map_or(Shape::OpenAi, Api::refusals);
    let mut response = match route(engine, request).await {
        Ok(response) => response,
        Err(refusal) => api::json(refusal.status, refusal.json(shape)),
    };
    if let Ok(name) = HeaderValue::from_str(&engine.identity.name) {
        response.headers_mut().insert(SERVED_BY, name);
    }
    response
}

async fn route(engine: &Arc<EngineServer>, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let path = request.uri().path().to_owned();
    let api = Api::at(&path);
    match (request.method(), path.as_str()) {
        (&Method::GET, "/v1/models") => Ok(api::json(StatusCode::OK, models(engine))),
        (&Method::GET, "/metrics") => Ok(text(metrics_page::CONTENT_TYPE, metrics_page::render(engine))),
        (&Method::GET, "/health") => Ok(text("text/plain", String::new())),
        (&Method::POST, _) if let Some(api) = api => generate(engine, api, request).await,
        (_, path) if api.is_some() || matches!(path, "/v1/models" | "/metrics" | "/health") => Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            message: "Method Not Allowed".to_owned(),
            param: None,
        }),
        _ => Err(Refusal::not_found("Not Found", None)),
    }
}

async fn generate(engine: &Arc<EngineServer>, api: Api, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let body = Limited::new(request.into_body(), REQUEST_BODY).collect().await.map_err(|error| {
        let mut refusal = Refusal::bad_request(&error, None);
        if error.is::<http_body_util::LengthLimitError>() {
            refusal.status = StatusCode::PAYLOAD_TOO_LARGE;
        }
        refusal
    })?;
    api::answer(engine, api, &body.to_bytes()).await
}

fn models(engine: &EngineServer) -> String {
    let created = engine.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let limit = engine.clockwork.read(|engine| engine.constants().cache_tokens);
    let id = &engine.identity.model;
    json!({"object": "list", "data": [{"id": id, "object": "model", "created": created, "owned_by": "homing",
           "root": id, "parent": null, "max_model_len": limit}]})
    .to_string()
}

fn text(content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
