//! Refusals in the shapes that clients expect.

use http::StatusCode;
use serde::Serialize;
use serde_json::json;

/// A request that the engine refuses.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// For people.
    pub message: String,
    /// The field that is wrong, if it is one.
    pub param: Option<&'static str>,
}

/// Whose clients a refusal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    OpenAi,
    Anthropic,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'static str>,
    code: u16,
}

// === impl Refusal ===

impl Refusal {
    /// The request cannot be understood or served: 400.
    pub fn bad_request(message: impl ToString, param: Option<&'static str>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_string(), param }
    }

    /// Nothing by that name: 404.
    pub fn not_found(message: impl ToString, param: Option<&'static str>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.to_string(), param }
    }

    /// The body of the answer.
    pub fn json(&self, shape: Shape) -> String {
        match shape {
            Shape::OpenAi => self.openai(),
            Shape::Anthropic => self.anthropic(),
        }
    }

    fn anthropic(&self) -> String {
        let kind = match self.status {
            StatusCode::NOT_FOUND => "not_found_error",
            StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
            StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
            _ => "invalid_request_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": self.message}}).to_string()
    }

    fn openai(&self) -> String {
        let r#type = match self.status {
            StatusCode::NOT_FOUND => "NotFoundError",
            StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowedError",
            StatusCode::PAYLOAD_TOO_LARGE => "RequestTooLargeError",
            StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailableError",
            _ => "BadRequestError",
        };
        let Self { status, message, param } = self;
        let body = Body { message, r#type, param: *param, code: status.as_u16() };
        serde_json::to_string(&Envelope { error: body }).unwrap_or_default()
    }
}
