//! What the tests stand on: real processes, engines that do as they are told, a client that can misbehave.
//!
//! [`World`] starts engines, Homing and Envoy in one line and is all that most tests need.

pub mod body;
pub mod certificates;
pub mod client;
pub mod closed_port;
pub mod doctor;
pub mod echo_picker;
pub mod engine;
pub mod envoy;
pub mod files;
pub mod forward;
pub mod homing;
pub mod open_files;
pub mod parts;
pub mod picker;
pub mod process;
pub mod prompts;
pub mod simulated;
pub mod valkey;
pub mod wait;
pub mod world;

pub use body::{Body, Gate};
pub use client::{Connection, Protocol, Reply};
pub use closed_port::ClosedPort;
pub use engine::{Answer, Engine};
pub use files::endpoints_document;
pub use homing::Homing;
pub use prompts::{chat, get, post, prompt};
pub use valkey::Valkey;
pub use wait::{eventually, within};
pub use world::World;
