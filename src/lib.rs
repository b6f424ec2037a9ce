//! Homing: an endpoint picker for LLM inference gateways.
//!
//! Envoy streams each request to it; it answers with the endpoint whose KV cache holds the prompt, unless
//! waiting there would cost more than computing it again. The map, from the ground up:
//!
//! - [`proto`]: messages and services that are generated from `proto/`
//! - [`model`]: plain data that all others speak
//! - [`metrics`]: metric handles, made once
//! - [`config`]: the configuration document: schema, defaults, validation, live reload
//! - [`state`]: what is remembered: pool, prefix index, sessions, bookings
//! - [`routing`]: the pure arithmetic of costs: scorers, picker, rendezvous
//! - [`pick`]: one request, from its facts to an explained decision
//! - [`ext_proc`]: Envoy's stream
//! - [`sources`]: what fills the state: files, the Kubernetes API server, engine metrics
//! - [`serving`]: ports, TLS, health, drain
//! - [`simulation`]: an engine and a workload, to try it all with
//! - [`replay`]: a trace against simulated engines, in virtual time, through the code that serves
//! - [`cli`]: one file a command; wires the others
//!
//! A module imports only from further up this list; `proto` and `model` do not know each other, nor do `state`
//! and `routing`, nor the four between `pick` and `replay`. `tests/architecture.rs` holds the house to it.
//!
//! To follow a request, in `ext_proc`: `service` (Envoy's stream) -> `decode` -> `machine` -> `request` (headers,
//! body, end of body) -> `content`; then `pick` -> `pick::candidates` -> `routing::picker`; and back in `ext_proc`:
//! `request` -> `answers` -> `encode` (the destination header).
#![warn(missing_docs)]
#![forbid(unsafe_code)]
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
pub mod proto;
pub mod replay;
pub mod routing;
pub mod serving;
pub mod simulation;
pub mod sources;
pub mod state;
