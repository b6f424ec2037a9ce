//! Server-sent events.

use serde_json::Value;

/// The last event of streams that close with a mark.
pub const DONE: &str = "data: [DONE]\n\n";

/// An event without a name.
pub fn data(document: &Value) -> String {
    format!("data: {document}\n\n")
}

/// An event whose name is its document's `type`.
pub fn typed(document: &Value) -> String {
    format!("event: {}\ndata: {document}\n\n", document["type"].as_str().unwrap_or_default())
}
