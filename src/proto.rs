//! What `proto/` becomes: messages, a client and a server for each service. `build.rs` generates it.

/// What Envoy's external processing says, as far as it is used here.
#[allow(clippy::allow_attributes_without_reason, reason = "generated code gives no reasons")]
#[allow(missing_docs, reason = "Envoy's own definitions say what each field means")]
pub mod envoy {
    tonic::include_proto!("envoy.service.ext_proc.v3");
}

/// `homing.v1alpha1.Inspect`, by which a running picker is looked into.
#[allow(clippy::allow_attributes_without_reason, reason = "generated code gives no reasons")]
pub mod inspect {
    tonic::include_proto!("homing.v1alpha1");
}

/// `homing.sync.v1`, what the pickers of one pool tell each other.
#[allow(clippy::allow_attributes_without_reason, reason = "generated code gives no reasons")]
pub mod sync {
    tonic::include_proto!("homing.sync.v1");
}
