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
mod control;
mod degraded;
mod drain;
mod events;
mod failing_engines;
mod modes;
mod observability;
mod pool;
mod prefixes;
mod pressure;
mod refusals;
mod reload;
mod sessions;
mod spoofing;
mod support;
mod tls;
mod trailers;
mod versions;
