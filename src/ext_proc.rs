//! Envoy's stream: one gRPC stream for each HTTP request.
//!
//! ```text
//!   service   tonic's shell: polls the stream, tells the time, spawns nothing on the way of a request
//!     decode    ProcessingRequest -> Event         encode    Reply -> ProcessingResponse
//!   machine   sans-IO: events in, replies out; request and response side are independent
//!     request   headers -> kept body -> pick       response  status, first byte, session echo, usage
//!     conformance  what its suite asks of a picker, by flag
//!     answers   the only way to a reply: headers, then body, then trailers, by types
//! ```
//!
//! The contract is Envoy's `external_processor.proto` and the Gateway API inference extension's endpoint
//! picker protocol; where Envoy does something else, a comment says so.

mod answers;
mod api;
mod body;
mod budget;
mod conformance;
mod content;
mod decode;
mod encode;
mod event;
mod head;
mod header;
mod identity;
mod machine;
mod request;
mod response;
mod service;
mod usage;

pub use answers::{BodyReply, Refusal, Reply, RequestAnswer};
pub use api::Api;
pub use budget::Budget;
pub use content::{Content, Fault, Named, with_content};
pub use identity::Identity;
pub use machine::{Close, Machine, Options};
pub use service::ExtProc;
