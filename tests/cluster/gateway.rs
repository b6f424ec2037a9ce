//! A real Envoy Gateway at the real API server programs a real Envoy, and Homing is attached to it by the chart alone.
//!
//! Envoy Gateway is installed by its own chart, and it, the Envoy that it starts, Homing and the engines are pods of
//! the node of processes. [`attached::Attached`] starts all that and is all that most tests need; [`ai_gateway`] puts
//! Envoy AI Gateway beside it.

mod ai_gateway;
mod attached;
mod engines;
pub mod envoy_gateway;
mod passing;
mod pickers;
mod routing;
