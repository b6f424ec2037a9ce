//! One header, as gateways write it.

use crate::proto::envoy::HeaderValue;

/// What stands for bytes that are no text.
const NO_TEXT: &str = "-";

/// The longest id that is taken; peers draw the line at 255 or 256 too.
pub const LONGEST_ID: usize = 255;

/// A header's name; none of ours where it is no text.
pub fn name(header: &HeaderValue) -> &str {
    text(&header.key)
}

/// Bytes as text. What is no text becomes [`NO_TEXT`], which is no name, no number and no address.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or(NO_TEXT)
}

/// A header's bytes: gateways write `raw_value`, some write `value` for some.
pub fn value(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { &header.value } else { &header.raw_value }
}

/// The value, if it is 1 to `longest` bytes of visible ASCII, which ids are.
pub fn visible(value: &[u8], longest: usize) -> Option<&str> {
    let fits = (1..=longest).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    fits.then(|| std::str::from_utf8(value).ok()).flatten()
}
