//! Homing behind a real Envoy 1.40, in front of engines that do as they are told.
//!
//! `tests/README.md` says which test proves which claim.

mod aborts;
mod affinity;
mod agreement;
mod bodies;
mod bookings;
mod clients;
mod command_line;
mod conformance;
mod control;
mod degraded;
mod demo;
mod dialects;
mod doctor;
mod drain;
mod early_answers;
mod engine_metrics;
mod events;
mod explain;
mod failing_engines;
mod failover;
mod gateways;
mod health;
mod identity;
mod inspect;
mod modes;
mod observability;
mod observing;
mod pool;
mod prefixes;
mod pressure;
mod refusals;
mod reload;
mod retries;
mod saturation;
mod sessions;
mod shared_state;
mod spoofing;
mod subsets;
#[allow(dead_code, reason = "what other test binaries need of it")]
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod trailers;
mod versions;
