//! What fills the picker's state from outside: files, a Kubernetes API server, the engines' own metrics and the other
//! replicas.
//!
//! A source knows nothing of the state it fills: it hands values to what its caller passes in.

pub mod config_file;
pub mod endpoints_file;
pub mod engine_metrics;
pub mod kubernetes;
pub mod reload;
pub mod shared_state;
pub mod watch;
