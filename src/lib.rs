//! Homing: an endpoint picker for LLM inference gateways.
#![forbid(unsafe_code)]

pub mod model;
