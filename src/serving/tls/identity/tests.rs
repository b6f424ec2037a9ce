use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// A certificate for this name until the end of a day in 2030, and its key.
fn made(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.not_after = date_time_ymd(2030, 5, 17);
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn problem(certificate: &str, key: &str) -> String {
    format!("{:#}", anyhow::Error::new(Identity::from_pem(certificate, key).unwrap_err()))
}

#[test]
fn a_certificate_in_memory_bears_the_given_names() {
    let identity = Identity::self_signed(&["picker.example".to_owned(), "10.1.2.3".to_owned()]).unwrap();
    let contains = |needle: &[u8]| identity.0.cert[0].windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"localhost") && contains(b"picker.example"));
    assert!(contains(&[0x87, 4, 10, 1, 2, 3]), "an address is an address, not a name");
}

#[test]
fn names_of_hosts_and_addresses_are_names() {
    for name in ["picker.example", "*.homing.svc", "localhost", "10.1.2.3", "fd00::1"] {
        assert!(Identity::is_name(name), "{name}");
        assert!(Identity::self_signed(&[name.to_owned()]).is_ok(), "{name}");
    }
    for name in ["", "*.", "a b", "http://x", "x:1", "a..b", "*.*.x"] {
        assert!(!Identity::is_name(name), "{name}");
    }
}

#[test]
fn a_pair_says_when_it_expires() {
    let (certificate, key) = made("one");
    let expires = Identity::from_pem(&certificate, &key).unwrap().expires().unwrap();
    assert_eq!(humantime::format_rfc3339(expires).to_string(), "2030-05-17T00:00:00Z");
    assert!(Identity::self_signed(&[]).unwrap().expires().is_some());
}

#[test]
fn a_chain_is_read_whole_and_its_first_certificate_counts() {
    let ((leaf, key), (issuer, _)) = (made("one"), made("issuer"));
    let identity = Identity::from_pem(&format!("{leaf}\n{issuer}"), &key).unwrap();
    assert_eq!(identity.0.cert.len(), 2);
    assert!(problem(&format!("{issuer}\n{leaf}"), &key).starts_with("cannot use the certificate: "));
}

#[test]
fn a_pair_that_does_not_fit_or_is_none_is_refused() {
    let ((one, one_key), (_, other_key)) = (made("one"), made("other"));
    let half = &one[..one.len() / 2];
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let of_old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        (&*one, &*other_key, "cannot use the certificate: "),
        (half, &*one_key, "the certificate is not PEM: an END line is missing"),
        (&*one, "", "holds no PEM key"),
        (&*one, &*one, "holds no PEM key"),
        (&*one, encrypted, "an encrypted key is not supported"),
        (&*one, of_old, "an encrypted key is not supported"),
        (&*one, no_key, "cannot use the key: "),
        ("", &*one_key, "holds no PEM certificate"),
        (no_der, &*one_key, "cannot use the certificate: "),
    ];
    for (certificate, key, expected) in cases {
        let problem = problem(certificate, key);
        assert!(problem.starts_with(expected), "{problem:?} is not {expected:?}");
        let causes: Vec<&str> = problem.split(": ").collect();
        assert!(causes.windows(2).all(|two| two[0] != two[1]), "a cause is printed once: {problem:?}");
    }
}

#[test]
fn a_problem_is_of_the_part_that_must_be_mended() {
    let (certificate, key) = made("one");
    let part = |certificate: &str, key: &str| Identity::from_pem(certificate, key).unwrap_err().part();
    assert_eq!(part("", &key), Part::Certificate);
    assert_eq!(part(&certificate, ""), Part::Key);
    assert_eq!(part(&certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), Part::Key);
}
