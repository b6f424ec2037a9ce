//! Homing: an endpoint picker for LLM inference gateways.
#![warn(missing_docs)]
// A panic in a request is a bug: say what cannot happen with `expect`, or return an error.
#![deny(clippy::unwrap_used)]
#![deny(clippy::print_stdout)]

#[allow(clippy::print_stdout, reason = "standard output belongs to the commands; everything else logs")]
pub mod cli;
pub mod config;
pub mod ext_proc;
pub mod metrics;
pub mod model;
pub mod pick;
pub mod routing;
pub mod serving;
pub mod simulation;
pub mod sources;
pub mod state;
