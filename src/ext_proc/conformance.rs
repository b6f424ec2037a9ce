//! What the conformance suite of the Gateway API inference extension asks of a picker; `docs/conformance.md` tells it.
//!
//! Nothing here is called without `--conformance-test-headers`: a client that may choose its endpoint steers. With
//! it, [`selection`] reads the request, [`echo`] and [`SELECTION`] change what the engine sees of it, and [`reports`]
//! is what the response says.

use std::net::SocketAddr;

use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;

use crate::model::Subset;
use crate::pick::Picked;

use super::header::value;

/// The request header that lists the endpoints to pick from. It goes no further.
pub const SELECTION: &str = "test-epp-endpoint-selection";

/// The response header that names who served.
const SERVED: &str = "x-conformance-test-served-endpoint";
/// The response header that names who was picked; the suite compares it with the pod that answered.
const SELECTED: &str = "x-conformance-test-selected-endpoint";

/// The request header that the suite's echo server turns into headers of its answer: `name:value`.
const ECHO: &str = "x-echo-set-header";

/// The endpoints that a request's headers list, if they list any. An empty list is none.
pub fn selection(message: &ProcessingRequest) -> Option<Subset> {
    let Some(Request::RequestHeaders(headers)) = &message.request else { return None };
    let headers = headers.headers.as_ref()?.headers.iter();
    let mut selection = None;
    for header in headers.filter(|header| header.key.eq_ignore_ascii_case(SELECTION)) {
        // Bytes that are no text are no address: they admit nobody.
        let text = str::from_utf8(value(header)).unwrap_or("-").trim();
        if !text.is_empty() {
            selection.get_or_insert_with(Subset::default).admit(text);
        }
    }
    selection
}

/// The header by which the echo server itself says who was picked, for gateways that show the picker no response.
pub fn echo(picked: &Picked) -> (&'static str, Box<str>) {
    (ECHO, format!("{SERVED}:{}", picked.decision().address).into())
}

/// What the response says: who served, by the gateway's word or else as picked, and who was picked.
pub fn reports(picked: Option<&Picked>, served: Option<SocketAddr>) -> Vec<(Box<str>, Box<str>)> {
    let picked = picked.map(|picked| picked.decision().address);
    let told = [(SERVED, served.or(picked)), (SELECTED, picked)];
    told.into_iter().filter_map(|(name, address)| Some((name.into(), address?.to_string().into()))).collect()
}
