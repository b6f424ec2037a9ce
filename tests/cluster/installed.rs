//! The chart, installed by the real Helm on the node of processes: Homing's pods are those of the chart's Deployment,
//! with its ServiceAccount, Role, probes and ConfigMap, next to engines of another Deployment, behind a real Envoy.
//!
//! [`release::Release`] starts the engines and is all that most tests need.

mod certificate;
mod doctor;
mod gateway;
mod life;
pub mod release;
mod rollout;
mod shared;
