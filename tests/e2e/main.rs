//! Homing behind a real Envoy 1.40, in front of engines that do as they are told.
//!
//! `tests/README.md` says which test proves which claim.

mod control;
mod support;
