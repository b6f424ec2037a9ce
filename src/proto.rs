//! What `proto/` becomes: messages, a client and a server for each service. `build.rs` generates it.

/// `homing.v1alpha1.Inspect`, by which a running picker is looked into.
#[allow(clippy::allow_attributes_without_reason, reason = "generated code gives no reasons")]
pub mod inspect {
    tonic::include_proto!("homing.v1alpha1");
}
