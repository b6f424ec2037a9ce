//! What the conformance suite of the Gateway API inference extension asks of a picker; `docs/conformance.md` tells it.
//!
//! Nothing here is used without `--conformance-test-headers`: a client that may choose its endpoint steers. With it,
//! [`SELECTION`] is read of the request, [`echo`] and [`SELECTION`] change what the engine sees of it, and [`reports`] is
//! what the response says.

use std::net::SocketAddr;

use crate::pick::Picked;

/// The request header that lists the endpoints to pick from. It goes no further.
pub const SELECTION: &str = "test-epp-endpoint-selection";

/// The response header that names who served.
const SERVED: &str = "x-conformance-test-served-endpoint";
/// The response header that names who was picked; the suite compares it with the pod that answered.
const SELECTED: &str = "x-conformance-test-selected-endpoint";

/// The request header that the suite's echo server turns into headers of its answer: `name:value`.
const ECHO: &str = "x-echo-set-header";

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
