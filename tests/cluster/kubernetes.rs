//! A real control plane, and what a test does with it.
//!
//! [`World`] starts a namespace, engines that are pods, Homing and Envoy in one line and is all that most tests
//! need. The control plane is one for all tests of the binary, but for those that stop it.

pub mod control_plane;
pub mod controllers;
pub mod guarded;
pub mod namespace;
pub mod objects;
pub mod traffic;
pub mod world;

pub use control_plane::ControlPlane;
pub use namespace::{CONFIG_MAP, Namespace};
pub use objects::PodOf;
pub use traffic::Traffic;
pub use world::{POOL, PORT, Site, World, endpoints, serves};
