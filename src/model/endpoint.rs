//! An endpoint: one `ip:port` of the pool that can serve a request.

use std::net::SocketAddr;
use std::sync::Arc;

/// A small integer for an endpoint on the hot path: a slot, and the generation of its tenant.
///
/// A slot is reused after its endpoint has gone; the generation is not. Every write checks it, so a
/// new tenant never inherits a booking, a block or a binding of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId {
    /// Index into the pool's tables.
    pub slot: u32,
    /// Counts the tenants of all slots, from 1.
    pub generation: u32,
}

/// An endpoint as a source describes it: from a file, or from a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// What makes it the same endpoint after a reload; from a file: name, address and port.
    pub identity: Arc<str>,
    /// The name that people read in explanations, metrics and logs.
    pub name: Arc<str>,
    /// Where requests go; printed as `ip:port` or `[v6]:port` in the destination header.
    pub address: SocketAddr,
    /// Its share relative to the others: divides its cost and enters rendezvous. 0 or less takes it out.
    pub weight: f64,
    /// Takes no new sessions, keeps those that it has.
    pub draining: bool,
    /// Serves now. One that does not is expected back soon: its sessions keep it as their home, and what it
    /// holds is remembered. One that is not expected back is no endpoint of the pool any more.
    pub ready: bool,
    /// There are newer ones of its kind, so it may end soon: sessions that need a home go elsewhere if that costs little
    /// more.
    pub outdated: bool,
    /// Speaks HTTP/2 without TLS, and maybe nothing else: how to ask it for its metrics.
    pub http2: bool,
}

impl Endpoint {
    /// An endpoint of weight 1 that is known by name, address and port.
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            identity: format!("{name}/{address}").into(),
            name: name.into(),
            address,
            weight: 1.0,
            draining: false,
            ready: true,
            outdated: false,
            http2: false,
        }
    }

    /// The stable hash of its identity, by which rendezvous places keys: the same on every replica.
    pub fn placement(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(self.identity.as_bytes())
    }

    /// Whether it may serve anything at all.
    pub fn is_eligible(&self) -> bool {
        self.ready && self.weight > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_is_the_same_in_every_process_and_release() {
        let endpoint = Endpoint::new("r1", "127.0.0.1:8001".parse().expect("an address"));
        assert_eq!(&*endpoint.identity, "r1/127.0.0.1:8001");
        assert_eq!(endpoint.placement(), 7_449_846_386_668_800_243);
    }
}
