//! What fills the picker's state from outside: files, a Kubernetes API server and the engines' own metrics.
//!
//! A source knows nothing of the state it fills: it hands values to what its caller passes in.

pub mod config_file;
pub mod endpoints_file;
pub mod engine_metrics;
pub mod kubernetes;
pub mod reload;
pub mod watch;
