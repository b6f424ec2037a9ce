//! Homing at a real Kubernetes API server: etcd and kube-apiserver run here, kubelets and schedulers do not, and
//! tests write the status of pods as those would.
//!
//! `tests/README.md` says which test proves which claim.

mod chart;
mod config_map;
mod conformance;
mod doctor;
mod enter;
mod gateway;
mod inside;
mod installed;
mod kubernetes;
mod node;
mod node_balancers;
mod node_homing;
mod node_pods;
mod node_replicas;
mod node_rollout;
mod outage;
mod pages;
mod permissions;
mod pods;
mod pool;
mod scale;
mod silent;
#[allow(dead_code, unused_imports, reason = "what other test binaries need of it")]
#[path = "../support/mod.rs"]
mod support;
