//! The chart, by the real Helm and against the real API server: what it renders is accepted, what it refuses it
//! refuses with words, and what it installs it takes away again.

mod accepted;
mod alerts;
mod defaults;
mod examples;
mod gateways;
pub mod helm;
mod lifecycle;
mod matrix;
mod names;
mod network;
mod nulls;
mod refusals;
mod running;
mod shared;
pub mod site;
mod umbrella;
mod words;
