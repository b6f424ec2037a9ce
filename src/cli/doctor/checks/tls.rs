//! Whether a running picker speaks TLS where it should, and nowhere else.

use std::io;
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::certificate::{by_expiry, described};
use super::picker::{Io, PickerAddress};
use crate::cli::doctor::finding::Finding;
use crate::serving::tls::{Shown, shake};

/// The name of this check.
pub const NAME: &str = "tls";

/// What became of a handshake.
enum Tried {
    /// There is no connection.
    Unreached(io::Error),
    /// The other side speaks TLS.
    Shaken(Box<(Shown, bool)>),
    /// It does not, or not with us.
    Refused(String),
}

/// Connects as a gateway would, and returns the connection if it is of the right kind.
pub async fn check(picker: &PickerAddress, secure: bool, limit: Duration) -> (Finding, Option<Box<dyn Io>>) {
    let (tried, shaken) = handshake(picker, limit).await;
    let fine = matches!((&tried, secure), (Tried::Shaken(_), true) | (Tried::Refused(_), false));
    let finding = judge(picker, secure, &tried, SystemTime::now());
    if !fine || secure {
        return (finding, shaken.filter(|_| secure));
    }
    match connect(picker, limit).await {
        Ok(stream) => (finding, Some(Box::new(stream))),
        Err(_) => (finding, None),
    }
}

async fn handshake(picker: &PickerAddress, limit: Duration) -> (Tried, Option<Box<dyn Io>>) {
    let stream = match connect(picker, limit).await {
        Ok(stream) => stream,
        Err(error) => return (Tried::Unreached(error), None),
    };
    match timeout(limit, shake(stream, &picker.host)).await {
        Ok(Ok(shaken)) => {
            let tried = Tried::Shaken(Box::new((shaken.certificate, shaken.http2)));
            (tried, Some(Box::new(shaken.stream)))
        }
        Ok(Err(error)) => (Tried::Refused(error.to_string()), None),
        Err(_) => (Tried::Refused(format!("no answer within {}", humantime::format_duration(limit))), None),
    }
}

async fn connect(picker: &PickerAddress, limit: Duration) -> io::Result<TcpStream> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    timeout(limit, TcpStream::connect((picker.host.as_str(), picker.port))).await.map_err(late)?
}

fn judge(picker: &PickerAddress, secure: bool, tried: &Tried, now: SystemTime) -> Finding {
    match (tried, secure) {
        (Tried::Unreached(error), _) => {
            let fix = "is the picker running, its Service's selector right and its port the gRPC port? From outside of the \
                       cluster a Service's name is not known: use kubectl port-forward";
            Finding::failure(NAME, format!("{picker} cannot be connected to: {error}"), fix)
        }
        (Tried::Shaken(shown), true) => {
            let (Shown { expires, names, fits }, http2) = &**shown;
            let for_host = if *fits { "" } else { " (not for this host: only for gateways that do not verify names)" };
            let finding = format!("{picker} shows a certificate {}{for_host}", described(*expires, names));
            if !http2 {
                let fix = "is this the gRPC port of a picker? A gateway needs HTTP/2 there";
                return Finding::warning(
                    NAME,
                    format!("{picker} speaks TLS, and does not offer HTTP/2 (ALPN h2)"),
                    fix,
                );
            }
            by_expiry(NAME, &finding, *expires, now)
        }
        (Tried::Refused(error), true) => {
            let fix = "if the picker runs with --secure-serving=false, say so here and let the gateway speak no TLS to it; \
                       else see the picker's log";
            Finding::failure(NAME, format!("{picker} does not speak TLS: {error}"), fix)
        }
        (Tried::Shaken(_), false) => {
            let fix = "let the picker run with --secure-serving=false, or the gateway speak TLS to it";
            Finding::failure(
                NAME,
                format!("{picker} speaks TLS, and --secure-serving=false says that it does not"),
                fix,
            )
        }
        (Tried::Refused(_), false) => {
            Finding::ok(NAME, format!("{picker} speaks no TLS, as --secure-serving=false says"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn shown(expires: SystemTime, http2: bool) -> Tried {
        Tried::Shaken(Box::new((
            Shown { expires: Some(expires), names: vec!["localhost".to_owned()], fits: false },
            http2,
        )))
    }

    #[test]
    fn tls_must_be_there_exactly_where_it_is_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let year = Duration::from_secs(31_536_000);
        let refused = || Tried::Refused("no TLS".to_owned());
        let away = || Tried::Unreached(io::ErrorKind::ConnectionRefused.into());
        for (tried, secure, status) in [
            (shown(now + year, true), true, Status::Ok),
            (shown(now + year, false), true, Status::Warning),
            (shown(now - year, true), true, Status::Failure),
            (shown(now + year, true), false, Status::Failure),
            (refused(), true, Status::Failure),
            (refused(), false, Status::Ok),
            (away(), true, Status::Failure),
            (away(), false, Status::Failure),
        ] {
            let picker = PickerAddress::parse("homing.llm.svc:9002").expect("an address");
            let finding = judge(&picker, secure, &tried, now);
            assert_eq!(finding.status, status, "{secure}: {finding:?}");
        }
    }
}
