//! Homing: an endpoint picker for LLM inference gateways.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod model;
pub mod routing;
pub mod simulation;
pub mod state;
