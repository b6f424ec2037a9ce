//! The pair of `--cert-path`: whether a picker could show it, and for how long.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::cli::doctor::finding::{Finding, some};
use crate::serving::tls::{Identity, Part};

/// The name of this check.
pub const NAME: &str = "certificate";
/// Whoever renews certificates has done it by then.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const RENEW: &str = "renew it: gateways that verify the picker refuse one that has expired";

/// Reads both files.
pub fn check(folder: &Path, now: SystemTime) -> Finding {
    let read = |name| std::fs::read_to_string(folder.join(name));
    judge(folder, &read("tls.crt"), &read("tls.key"), now)
}

fn judge(folder: &Path, certificate: &io::Result<String>, key: &io::Result<String>, now: SystemTime) -> Finding {
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = match (certificate, key) {
        (Ok(certificate), Ok(key)) => (certificate, key),
        (Err(error), _) => return unreadable(&file("tls.crt"), error),
        (_, Err(error)) => return unreadable(&file("tls.key"), error),
    };
    match Identity::from_pem(certificate, key) {
        Ok(identity) => {
            let shown = described(identity.expires(), &identity.names());
            by_expiry(NAME, &format!("the pair in {}: {shown}", folder.display()), identity.expires(), now)
        }
        Err(error) => {
            let (half, fix) = match error.part() {
                Part::Key => ("tls.key", "write the key of that certificate there, in PEM and not encrypted"),
                Part::Certificate => {
                    ("tls.crt", "write the certificate of that key there, in PEM, its chain behind it")
                }
            };
            Finding::failure(NAME, format!("{}: {:#}", file(half), anyhow::Error::new(error)), fix)
        }
    }
}

/// Until when, and for whom.
pub fn described(expires: Option<SystemTime>, names: &[String]) -> String {
    let expires =
        expires.map_or_else(|| "an unknown day".to_owned(), |at| humantime::format_rfc3339_seconds(at).to_string());
    let names = if names.is_empty() { "nobody".to_owned() } else { some(names) };
    format!("valid until {expires}, for {names}")
}

/// What is said of a certificate is well if it is valid for some time to come.
pub fn by_expiry(name: &'static str, finding: &str, expires: Option<SystemTime>, now: SystemTime) -> Finding {
    match expires {
        Some(at) if at <= now => Finding::failure(name, format!("{finding}: it has expired"), RENEW),
        Some(at) if at <= now + SOON => Finding::warning(name, format!("{finding}: it expires soon"), RENEW),
        _ => Finding::ok(name, finding),
    }
}

fn unreadable(file: &str, error: &io::Error) -> Finding {
    let why = match error.kind() {
        io::ErrorKind::InvalidData => "is not PEM (is it DER?)".to_owned(),
        _ => error.to_string(),
    };
    Finding::failure(NAME, format!("{file}: {why}"), "let --cert-path name a folder with tls.crt and tls.key, both PEM")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    /// A certificate that ends with the first day of 2030, and its key.
    fn pair() -> (io::Result<String>, io::Result<String>) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(["picker.llm.svc".to_owned()]).expect("a name");
        parameters.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let made = parameters.self_signed(&key).expect("a certificate");
        (Ok(made.pem()), Ok(key.serialize_pem()))
    }

    fn day(text: &str) -> SystemTime {
        humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).expect("a day")
    }

    #[test]
    fn a_pair_is_read_aloud_and_one_that_ends_is_not_well() {
        let (certificate, key) = pair();
        for (now, status) in
            [("2029-12-01", Status::Ok), ("2029-12-30", Status::Warning), ("2030-01-01", Status::Failure)]
        {
            let finding = judge(Path::new("/tls"), &certificate, &key, day(now));
            assert_eq!(finding.status, status, "{now}: {finding:?}");
            let text = "the pair in /tls: valid until 2030-01-01T00:00:00Z, for picker.llm.svc";
            assert!(finding.finding.starts_with(text), "{finding:?}");
        }
    }

    #[test]
    fn what_is_no_pair_fails_and_names_the_file() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        let missing = || Err(io::ErrorKind::NotFound.into());
        let text = |text: &str| Ok(text.to_owned());
        for (certificate, key, named) in [
            (&certificate, &other, "/tls/tls.crt: cannot use the certificate"),
            (&certificate, &missing(), "/tls/tls.key: "),
            (&missing(), &key, "/tls/tls.crt: "),
            (&certificate, &text("none"), "/tls/tls.key: holds no PEM key"),
            (&text(""), &key, "/tls/tls.crt: holds no PEM certificate"),
            (&Err(io::ErrorKind::InvalidData.into()), &key, "/tls/tls.crt: is not PEM (is it DER?)"),
        ] {
            let finding = judge(Path::new("/tls"), certificate, key, day("2029-01-01"));
            assert!(finding.status == Status::Failure && finding.finding.starts_with(named), "{named}: {finding:?}");
        }
    }
}
