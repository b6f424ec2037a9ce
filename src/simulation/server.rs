//! The simulated engine as a server: what vLLM and SGLang speak, over HTTP/1.1 and HTTP/2, on one listener.
//!
//! [`EngineServer::serve`] is the entry; `homing engine` and tests call it. All timing comes from the
//! model, kept in step with the wall clock by [`clockwork`].

mod accept;
mod api;
mod clockwork;
mod error;
mod generation;
mod metrics_page;
mod routes;

use std::sync::Arc;
use std::time::SystemTime;

use self::clockwork::Clockwork;
use super::constants::Constants;

/// Who an engine says it is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name, in every answer's `x-served-by`.
    pub name: String,
    /// The one model that it serves.
    pub model: String,
}

/// One simulated engine and its API.
pub struct EngineServer {
    identity: Identity,
    started: SystemTime,
    clockwork: Arc<Clockwork>,
}

// === impl EngineServer ===

impl EngineServer {
    /// An idle engine; must be called within a tokio runtime, which its clock runs on.
    pub fn new(identity: Identity, constants: Constants) -> Self {
        Self { identity, started: SystemTime::now(), clockwork: Clockwork::start(constants) }
    }
}

#[cfg(test)]
mod tests;
