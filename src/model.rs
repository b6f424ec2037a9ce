//! Plain data that all other modules speak. Nothing here acts.

mod decision;
mod endpoint;
mod engine;
mod request;
mod session;
mod subset;

pub use decision::{Charges, Choice, Decision, EXPLAINED, Reason};
pub use endpoint::{Endpoint, EndpointId};
pub use engine::{Adapter, AdapterReport, EngineKind, EngineReport};
pub use request::{Now, Part, Prompt, Request, TOKEN_ID_BYTES, Unit};
pub use session::{SessionHint, SessionKey, SessionSource};
pub use subset::Subset;
