//! Homing: an endpoint picker for LLM inference gateways.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod ext_proc;
pub mod metrics;
pub mod model;
pub mod pick;
pub mod routing;
pub mod sources;
pub mod state;
