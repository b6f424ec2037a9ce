//! Pages for [`http::serve`](super::http::serve): a table of paths, and bodies as text or JSON.

use std::collections::HashMap;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::json;

use super::http::Handler;

/// A handler that answers GET and HEAD of these paths; 404 and 405, as JSON, for anything else.
pub fn table(pages: impl IntoIterator<Item = (&'static str, Handler)>) -> Handler {
    let pages: HashMap<&'static str, Handler> = pages.into_iter().collect();
    Arc::new(move |request| match pages.get(request.uri().path()) {
        None => error(StatusCode::NOT_FOUND, &format!("there is no page {}", request.uri().path())),
        Some(page) if [Method::GET, Method::HEAD].contains(request.method()) => page(request),
        Some(_) => {
            let mut refused = error(StatusCode::METHOD_NOT_ALLOWED, "this page can only be read");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
    })
}

/// Plain text, as `/readyz` answers.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    page(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
}

/// A value as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec(value) {
        Ok(body) => page(status, HeaderValue::from_static("application/json"), body.into()),
        Err(fault) => error(StatusCode::INTERNAL_SERVER_ERROR, &fault.to_string()),
    }
}

/// A page of any type, as `/metrics` needs for the Prometheus text format.
pub fn page(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// An error in the shape of the OpenAI API.
pub fn error(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": status.as_u16()}});
    page(status, HeaderValue::from_static("application/json"), body.to_string().into())
}

/// The first value of a query parameter, undecoded: enough for numbers and plain words.
pub fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The first query parameter that has none of these names.
pub fn unknown_parameter<'a>(uri: &'a Uri, known: &[&str]) -> Option<&'a str> {
    let names = uri.query()?.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    names.into_iter().find(|name| !name.is_empty() && !known.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        let uri = Uri::from_static("/decisions?nolimit=1&limit=20&limit=3&empty");
        assert_eq!(parameter(&uri, "limit"), Some("20"));
        assert_eq!(parameter(&uri, "empty"), Some(""));
        assert_eq!(parameter(&uri, "lim"), None);
        assert_eq!(parameter(&Uri::from_static("/decisions"), "limit"), None);
    }

    #[test]
    fn a_parameter_that_a_page_does_not_have_is_found() {
        let uri = Uri::from_static("/decisions?limit=1&endpoint=r1");
        assert_eq!(unknown_parameter(&uri, &["limit"]), Some("endpoint"));
        for good in ["/decisions", "/decisions?", "/decisions?limit=2&"] {
            assert_eq!(unknown_parameter(&Uri::from_static(good), &["limit"]), None, "{good}");
        }
    }
}
