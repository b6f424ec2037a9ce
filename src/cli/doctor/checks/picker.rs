//! Where a running picker is, and the way there.

use std::fmt;
use std::net::IpAddr;

use http::uri::Authority;
use tokio::io::{AsyncRead, AsyncWrite};

/// The gRPC port of a picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickerAddress {
    /// A host name, or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A connection to it, in TLS or not.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl PickerAddress {
    /// Reads `HOST:PORT`.
    ///
    /// # Errors
    /// It is not of that form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let authority = text.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@'));
        let parts = authority.and_then(|authority| Some((authority.host().to_owned(), authority.port_u16()?)));
        match parts {
            Some((host, port)) if !host.is_empty() && port > 0 => {
                Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port })
            }
            _ => Err("is no HOST:PORT, such as homing.default.svc:9002".to_owned()),
        }
    }

    /// The Service and its port, if the host is the name of one.
    pub fn service(&self) -> Option<(&str, u16)> {
        let labels: Vec<&str> = self.host.split('.').collect();
        let is_service = match &labels[..] {
            [one] => *one != "localhost" && self.host.parse::<IpAddr>().is_err(),
            [_, _, third, ..] => *third == "svc",
            _ => false,
        };
        is_service.then(|| (labels[0], self.port))
    }
}

impl fmt::Display for PickerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picker_is_a_host_and_a_port() {
        for text in ["homing.llm.svc:9002", "127.0.0.1:9002", "[fd00::7]:9002"] {
            assert_eq!(PickerAddress::parse(text).expect(text).to_string(), text);
        }
        for text in
            ["homing", "homing:", "homing:0", ":9002", "http://homing:9002", "a@b:1", "fd00::7:9002", "homing:99999"]
        {
            assert!(PickerAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_name_of_a_service_is_known() {
        let service = |text| PickerAddress::parse(text).expect(text).service().map(|(name, _)| name.to_owned());
        assert_eq!(service("homing.llm.svc:9002").as_deref(), Some("homing"));
        assert_eq!(service("homing:9002").as_deref(), Some("homing"));
        for other in ["localhost:1", "10.0.0.7:1", "[fd00::7]:1", "picker.example.org:1", "example.org:1"] {
            assert_eq!(service(other), None, "{other}");
        }
    }
}
