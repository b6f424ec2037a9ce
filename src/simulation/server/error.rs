//! Refusals in the shape that OpenAI clients expect.

use http::StatusCode;
use serde::Serialize;

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
    pub fn json(&self) -> String {
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
