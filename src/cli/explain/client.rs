//! The admin port's decisions over gRPC, and what to tell a person where that fails.

use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};

use crate::proto::inspect::inspect_client::InspectClient;
use crate::proto::inspect::{DecisionsRequest, DecisionsResponse};

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
    answers: Streaming<DecisionsResponse>,
}

/// Asks the picker with this admin port.
///
/// # Errors
/// Nobody listens there, or somebody else does.
pub async fn ask(admin: &str, request: DecisionsRequest) -> anyhow::Result<Decisions> {
    let follow = request.follow;
    let endpoint = Endpoint::from_shared(format!("http://{admin}"))
        .with_context(|| format!("--admin {admin} is no HOST:PORT"))?
        .connect_timeout(TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    let channel = endpoint.connect().await.map_err(|error| not_reached(admin, error.into()))?;
    let answers = in_time(InspectClient::new(channel).decisions(request)).await?;
    let answers = answers.map_err(|status| not_understood(admin, &status))?.into_inner();
    Ok(Decisions { admin: admin.to_owned(), follow, answers })
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
        next.map_err(|status| anyhow!("the picker at {} has gone ({})", self.admin, said(&status)))
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
