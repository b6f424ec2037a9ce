//! The endpoints that a gateway allows for one request.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The subset hint of a request. No hint is no `Subset`; an empty one admits nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subset {
    /// A gateway may list the whole pool, and every endpoint is looked up.
    entries: HashSet<(IpAddr, Option<u16>), ahash::RandomState>,
}

impl Subset {
    /// Adds what `text` lists, separated by commas: `IP`, `IP:port`, `v6`, `[v6]` or `[v6]:port`, with spaces
    /// around them. What is none of these admits nobody.
    pub fn admit(&mut self, text: &str) {
        self.entries.extend(text.split(',').filter_map(|entry| entry_of(entry.trim())));
    }

    /// Whether an endpoint at `address` may serve the request; an entry without a port means all ports.
    pub fn admits(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.entries.contains(&(ip, Some(address.port()))) || self.entries.contains(&(ip, None))
    }
}

fn entry_of(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip().to_canonical(), Some(address.port())));
    }
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = match bracketed {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    ip.map(|ip| (ip.to_canonical(), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subset(text: &str) -> Subset {
        let mut subset = Subset::default();
        subset.admit(text);
        subset
    }

    #[test]
    fn an_entry_admits_its_address_and_its_port_or_all_ports() {
        for (text, address, admitted) in [
            ("10.0.0.1", "10.0.0.1:8000", true),
            ("10.0.0.1:8000", "10.0.0.1:8000", true),
            ("10.0.0.1:8001", "10.0.0.1:8000", false),
            ("10.0.0.2 , 10.0.0.1:8000", "10.0.0.1:8000", true),
            ("::1", "[::1]:8000", true),
            ("[::1]", "[::1]:8000", true),
            ("[::1]:8000", "[::1]:8000", true),
            ("[::1]:8001", "[::1]:8000", false),
            ("[0:0:0:0:0:0:0:1]", "[::1]:8000", true),
            ("::ffff:10.0.0.1", "10.0.0.1:8000", true),
            ("10.0.0.1", "10.0.0.10:8000", false),
            ("", "10.0.0.1:8000", false),
            (",,", "10.0.0.1:8000", false),
            ("[10.0.0.1]", "10.0.0.1:8000", false),
            ("10.0.0.1:", "10.0.0.1:8000", false),
            ("10.0.0.1:99999", "10.0.0.1:8000", false),
            ("pod-1", "10.0.0.1:8000", false),
        ] {
            assert_eq!(subset(text).admits(address.parse().expect("an address")), admitted, "{text:?} and {address}");
        }
    }

    proptest! {
        #[test]
        fn an_address_as_homing_prints_it_admits_itself_and_no_other_port(ip: [u16; 8], v4: [u8; 4], six: bool, port in 1u16..) {
            let ip = if six { IpAddr::from(ip) } else { IpAddr::from(v4) };
            let address = SocketAddr::new(ip, port);
            prop_assert!(subset(&address.to_string()).admits(address));
            prop_assert!(subset(&ip.to_string()).admits(address));
            prop_assert!(!subset(&address.to_string()).admits(SocketAddr::new(ip, port ^ 1)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            subset(&text);
        }
    }
}
