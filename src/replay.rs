//! A trace of requests against simulated engines in virtual time: what a policy would have done to them.
//!
//! ```text
//!   workload a trace out of chance, for those who have none
//!   trace    a file, read as a stream -> Arrival          engine   what an engine does, step by step
//!   copies   the trace several times over at once
//!   policy   Homing itself (`pick::Picker`), and what it is compared with
//!   change   replicas that fail, leave and join
//!   run      one event loop: arrivals, steps, scrapes -> Outcome
//!   capacity the highest rate that still meets the objective -> report, and page with its charts
//! ```
//!
//! [`run`](run::run) and [`capacity`](capacity::capacity) are the entries; `homing replay` calls them. The picker is
//! the one that serves; only the clock and the engines are simulated. Nothing here reads a clock, and all chance comes
//! from a seed, so the same command gives the same numbers.

pub mod capacity;
pub mod change;
mod copies;
pub mod engine;
#[cfg(test)]
mod fixtures;
pub mod page;
pub mod policy;
mod rate;
pub mod report;
pub mod run;
pub mod trace;
pub mod workload;

pub use rate::Rate;

/// Seconds of virtual time since the first arrival, or a length of time.
pub type Seconds = f64;
