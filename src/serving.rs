//! How the process is reached: sockets, TLS, the data side's runtimes, health, scraping and drain.
//!
//! Knows nothing of Envoy's stream: it serves whatever answers gRPC calls.
//!
//! ```text
//!            main thread                                   one thread a core
//!   accept loop ── least loaded ──────────────────────> runtime: TLS, HTTP/2, gRPC
//!   health, metrics, admin: answer while the data side is saturated
//!   drain: signal -> not ready -> window -> GOAWAY -> deadline -> close
//! ```
//!
//! `cli::serve` wires it: [`listen::bind`] the ports, [`Runtimes::start`] the data side, spawn
//! [`health::serve`] and [`http::serve`], then stay in [`drain::run`] until the end.

mod connection;
mod direct;
pub mod drain;
mod gather;
mod grpc;
pub mod health;
pub mod http;
pub mod listen;
mod load;
pub mod pages;
mod readiness;
mod runtimes;
mod streams;
pub mod tls;

#[cfg(test)]
mod tests;

pub use direct::Direct;
pub use readiness::{BlockReady, Readiness};
pub use runtimes::Runtimes;
