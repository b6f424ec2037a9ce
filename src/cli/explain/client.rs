//! The admin port's decisions over gRPC, and what to tell a person where that fails.

use std::io;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use http::uri::Authority;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

use crate::proto::inspect::inspect_client::InspectClient;
use crate::proto::inspect::{DecisionsRequest, DecisionsResponse, ReplicasRequest, ReplicasResponse};

/// A picker that can be reached answers at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A picker that vanished without a word is noticed after these two together.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Decisions as they come.
#[derive(Debug)]
pub struct Decisions {
    admin: String,
    follow: bool,
    /// Whether a message came, which only a picker sends.
    heard: bool,
    answers: Streaming<DecisionsResponse>,
}

/// Asks the picker with this admin port.
///
/// # Errors
/// Nobody listens there, or somebody else does.
pub async fn ask(admin: &str, request: DecisionsRequest) -> anyhow::Result<Decisions> {
    let follow = request.follow;
    let mut client = connect(admin).await?;
    let answers = in_time(client.decisions(request)).await?;
    let answers = answers.map_err(|status| not_understood(admin, &status))?.into_inner();
    Ok(Decisions { admin: admin.to_owned(), follow, heard: false, answers })
}

/// Asks the picker with this admin port for the other replicas.
///
/// # Errors
/// Nobody listens there, or somebody else does.
pub async fn replicas(admin: &str) -> anyhow::Result<ReplicasResponse> {
    let mut client = connect(admin).await?;
    let answer = in_time(client.replicas(ReplicasRequest {})).await?;
    Ok(answer.map_err(|status| not_understood(admin, &status))?.into_inner())
}

async fn connect(admin: &str) -> anyhow::Result<InspectClient<Channel>> {
    let named = admin.parse().is_ok_and(|admin: Authority| {
        !admin.host().is_empty() && !admin.as_str().contains('@') && admin.port_u16().is_some()
    });
    ensure!(named, "--admin {} is no HOST:PORT, such as 127.0.0.1:9004", admin.escape_debug());
    let endpoint = Endpoint::from_shared(format!("http://{admin}"))?
        .connect_timeout(TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    let channel = endpoint.connect().await.map_err(|error| not_reached(admin, error.into()))?;
    Ok(InspectClient::new(channel))
}

// === impl Decisions ===

impl Decisions {
    /// The next; `None` after the last.
    ///
    /// # Errors
    /// The picker has gone, or it does not speak for too long where there is nothing to wait for.
    pub async fn next(&mut self) -> anyhow::Result<Option<DecisionsResponse>> {
        let next = self.answers.message();
        let next = if self.follow { next.await } else { in_time(next).await? };
        let next = next.map_err(|status| {
            // Whoever is followed may go before there was anything to tell; these two are no way to go.
            let foreign = matches!(status.code(), Code::Unimplemented | Code::Internal);
            if self.heard || (self.follow && !foreign) {
                anyhow!("the picker at {} has gone ({})", self.admin, said(&status))
            } else {
                not_understood(&self.admin, &status)
            }
        })?;
        self.heard |= next.is_some();
        Ok(next)
    }
}

async fn in_time<T>(answer: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(TIMEOUT, answer).await.map_err(|_| anyhow!("the picker did not answer within {TIMEOUT:?}"))
}

fn not_reached(admin: &str, error: anyhow::Error) -> anyhow::Error {
    let refused = |cause: &io::Error| cause.kind() == io::ErrorKind::ConnectionRefused;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(refused) {
        return anyhow!("nobody listens at {admin}; is the picker on this machine, and its --admin-port another?");
    }
    error.context(format!("cannot connect to {admin}"))
}

fn not_understood(admin: &str, status: &Status) -> anyhow::Error {
    match status.code() {
        Code::InvalidArgument | Code::ResourceExhausted => anyhow!("the picker at {admin} refuses: {}", said(status)),
        _ => anyhow!("what listens at {admin} is not the admin port of a picker of this release ({})", said(status)),
    }
}

/// What the other side said; it may be anybody, and must not speak to the terminal.
fn said(status: &Status) -> String {
    let message = status.message();
    if message.is_empty() { status.code().to_string() } else { message.escape_debug().to_string() }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::net::TcpListener;

    use super::*;

    async fn problem(admin: &str, follow: bool) -> String {
        let asked =
            async { ask(admin, DecisionsRequest { follow, ..DecisionsRequest::default() }).await?.next().await };
        format!("{:#}", asked.await.expect_err("no picker is there"))
    }

    #[tokio::test]
    async fn what_is_no_host_and_port_is_refused_before_anybody_is_called() {
        for wrong in ["127.0.0.1", "no port", "http://127.0.0.1:9004", ":9004", "::1:9004", "a@b:1", "r1:99999", ""] {
            let expected = format!("--admin {wrong} is no HOST:PORT, such as 127.0.0.1:9004");
            assert_eq!(problem(wrong, false).await, expected);
        }
    }

    #[tokio::test]
    async fn who_answers_something_else_is_not_taken_for_a_picker() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            let page = async |_| Ok::<_, Infallible>(Response::new("a page of somebody else".to_owned()));
            while let Ok((tcp, _)) = listener.accept().await {
                let server = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(tcp), service_fn(page)));
            }
        });
        for follow in [false, true] {
            let text = problem(&admin, follow).await;
            assert!(text.starts_with(&format!("what listens at {admin} is not the admin port of a picker")), "{text}");
        }
    }
}
