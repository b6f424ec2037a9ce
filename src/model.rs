//! Plain data that all other modules speak. Nothing here acts.

mod decision;
mod endpoint;
mod engine;
mod request;
mod session;

pub use decision::{Charges, Choice, Decision, EXPLAINED, Reason};
pub use endpoint::{Endpoint, EndpointId};
pub use engine::{Adapter, AdapterReport, EngineKind, EngineReport};
pub use request::{Now, Prompt, Request};
pub use session::{SessionKey, SessionSource};
