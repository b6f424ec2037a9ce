//! Homing: an endpoint picker for LLM inference gateways.
#![warn(missing_docs)]
// A panic in a request is a bug: say what cannot happen with `expect`, or return an error.
#![deny(clippy::unwrap_used)]
// Standard output belongs to the commands; everything else logs.
#![deny(clippy::print_stdout)]

pub mod cli;
pub mod config;
pub mod model;
pub mod routing;
pub mod state;
