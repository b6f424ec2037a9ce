//! One header, as gateways write it.

use envoy_types::pb::envoy::config::core::v3::HeaderValue;

/// A header's bytes: gateways write `raw_value`, some write `value` for some.
pub fn value(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
}
