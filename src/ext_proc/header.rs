//! One header, as gateways write it.

use envoy_types::pb::envoy::config::core::v3::HeaderValue;

/// The longest id that is taken; peers draw the line at 255 or 256 too.
pub const LONGEST_ID: usize = 255;

/// A header's bytes: gateways write `raw_value`, some write `value` for some.
pub fn value(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
}

/// The value, if it is 1 to `longest` bytes of visible ASCII, which ids are.
pub fn visible(value: &[u8], longest: usize) -> Option<&str> {
    let fits = (1..=longest).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    fits.then(|| std::str::from_utf8(value).ok()).flatten()
}
