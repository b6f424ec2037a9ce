//! Homing: an endpoint picker for LLM inference gateways.
//!
//! Envoy streams each request to it; it answers with the endpoint whose KV cache holds the prompt, unless
//! waiting there would cost more than computing it again. The map, from the ground up; a module imports
//! only what stands above it in this list, and neighbours on one line do not know each other:
//!
//! - [`model`] is plain data that all others speak.
//! - [`metrics`] holds metric handles, made once.
//! - [`config`] is the configuration document: schema, defaults, validation, live reload.
//! - [`state`] remembers (pool, prefix index, sessions, bookings); [`routing`] is the pure arithmetic of costs.
//! - [`pick`] takes one request from its facts to an explained decision.
//! - [`ext_proc`] speaks with Envoy; [`sources`] fill the state; [`serving`] opens the ports; [`simulation`] is
//!   an engine to try it all with.
//! - [`cli`] has one file a command, and wires the others.
//!
//! To follow a request: `ext_proc::service` (Envoy's stream) -> `ext_proc::machine` -> `ext_proc::request`
//! (headers, body, end of body) -> `pick::Picker::pick` -> `routing::picker::pick` -> back in
//! `ext_proc::request`, out through `ext_proc::encode` (the destination header).
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
