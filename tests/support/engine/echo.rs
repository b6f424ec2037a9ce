//! What the echo server of the conformance suites of the Gateway API does with `X-Echo-Set-Header`.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers that a request asks to be answered with: `name:value`, with commas between several.
pub(super) fn asked(head: &HeaderMap) -> HeaderMap {
    let mut asked = HeaderMap::new();
    for list in head.get_all("x-echo-set-header").iter().filter_map(|value| value.to_str().ok()) {
        for (name, value) in list.split(',').filter_map(|entry| entry.trim().split_once(':')) {
            let name: HeaderName = name.parse().expect("a header's name");
            asked.append(name, HeaderValue::from_str(value.trim()).expect("a header's value"));
        }
    }
    asked
}
