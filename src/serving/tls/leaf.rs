//! What a server's own certificate says: until when it is valid, and for which names.
//!
//! rustls tells neither, but it does where it refuses a certificate: so it is asked what it must refuse.

use std::time::{Duration, SystemTime};

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

/// A name that nobody has (RFC 6761).
const NOBODY: &str = "nobody.nowhere.invalid";

/// When it expires.
pub fn expires(certificate: &CertificateDer) -> Option<SystemTime> {
    let leaf = ParsedCertificate::try_from(certificate).ok()?;
    // Asked at the end of all times, it says since when it is too late.
    let end_of_times = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    match verify_server_cert_signed_by_trust_anchor(&leaf, &RootCertStore::empty(), &[], end_of_times, &[]) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

/// The host names and addresses that it bears.
pub fn names(certificate: &CertificateDer) -> Vec<String> {
    let (Ok(leaf), Ok(nobody)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(NOBODY)) else {
        return Vec::new();
    };
    match verify_server_name(&leaf, &nobody) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            presented.iter().map(|name| plain(name)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether it is for this host name or address.
pub fn is_for(certificate: &CertificateDer, host: &str) -> bool {
    let (Ok(leaf), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(host)) else {
        return false;
    };
    verify_server_name(&leaf, &name).is_ok()
}

/// `localhost` of `DnsName("localhost")`, `10.0.0.7` of `IpAddress(10.0.0.7)`.
fn plain(presented: &str) -> String {
    let inside = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(presented).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> CertificateDer<'static> {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        rcgen::generate_simple_self_signed(names).expect("a certificate").cert.der().clone()
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        let certificate = made(&["picker.llm.svc", "*.example.org", "10.0.0.7", "fd00::7"]);
        assert_eq!(names(&certificate), ["picker.llm.svc", "*.example.org", "10.0.0.7", "fd00::7"]);
        assert_eq!(names(&CertificateDer::from(vec![1, 2, 3])), [""; 0]);
    }

    #[test]
    fn it_is_for_the_hosts_that_it_names() {
        let certificate = made(&["picker.llm.svc", "*.example.org", "10.0.0.7"]);
        for host in ["picker.llm.svc", "one.example.org", "10.0.0.7"] {
            assert!(is_for(&certificate, host), "{host}");
        }
        for host in ["picker", "example.org", "10.0.0.8", "no name"] {
            assert!(!is_for(&certificate, host), "{host}");
        }
    }
}
