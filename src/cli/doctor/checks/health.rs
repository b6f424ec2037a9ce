//! Whether a running picker says that it serves.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status as Refusal};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::picker::{Io, PickerAddress};
use crate::cli::doctor::finding::Finding;

/// The name of this check.
pub const NAME: &str = "health";
/// What gateways and probes ask for.
const SERVICES: [&str; 2] = ["readiness", "envoy.service.ext_proc.v3.ExternalProcessor"];

/// What was said to one name.
type Answer = (&'static str, Result<ServingStatus, Refusal>);

/// The connection that is there already, for a client that wants to make one.
struct Given(Option<Box<dyn Io>>);

/// Asks for each name on this connection.
pub async fn check(picker: &PickerAddress, connection: Box<dyn Io>, limit: Duration) -> Vec<Finding> {
    let late = |_| Err(format!("no answer within {}", humantime::format_duration(limit)));
    match timeout(limit, ask(picker, connection)).await.unwrap_or_else(late) {
        Ok(answers) => answers.into_iter().map(|answer| judge(picker, answer)).collect(),
        Err(error) => vec![Finding::failure(
            NAME,
            format!("{picker} does not speak gRPC: {error}"),
            "is this the gRPC port (--grpc-port) of a picker?",
        )],
    }
}

async fn ask(picker: &PickerAddress, connection: Box<dyn Io>) -> Result<Vec<Answer>, String> {
    let endpoint = Endpoint::from_shared(format!("http://{picker}")).map_err(|error| error.to_string())?;
    let channel = endpoint.connect_with_connector(Given(Some(connection))).await;
    let channel: Channel = channel.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    let mut client = HealthClient::new(channel);
    let mut answers = Vec::new();
    for name in SERVICES {
        let answer = client.check(HealthCheckRequest { service: name.to_owned() }).await;
        answers.push((name, answer.map(|answer| answer.into_inner().status())));
    }
    Ok(answers)
}

fn judge(picker: &PickerAddress, (name, answer): Answer) -> Finding {
    match answer {
        Ok(ServingStatus::Serving) => Finding::ok(NAME, format!("{picker} says SERVING to {name}")),
        Ok(status) => {
            let fix = "its /readyz, on the metrics port, and its log say what it waits for; it may be going";
            Finding::failure(NAME, format!("{picker} says {} to {name}", status.as_str_name()), fix)
        }
        Err(refusal) => {
            let foreign = matches!(refusal.code(), Code::NotFound | Code::Unimplemented);
            let fix = if foreign {
                "is this the gRPC port of a Homing? Other programs answer to other names"
            } else {
                "is this the gRPC port (--grpc-port) of a picker? See its log"
            };
            let said = if refusal.message().is_empty() { "nothing more" } else { refusal.message() };
            Finding::failure(NAME, format!("{picker} does not answer to {name}: {:?}, {said}", refusal.code()), fix)
        }
    }
}

// === impl Given ===

impl Service<Uri> for Given {
    type Response = TokioIo<Box<dyn Io>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().map(TokioIo::new).ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    #[test]
    fn only_serving_is_well() {
        let picker = PickerAddress::parse("homing.llm.svc:9002").expect("an address");
        for (answer, status, named) in [
            (Ok(ServingStatus::Serving), Status::Ok, "SERVING"),
            (Ok(ServingStatus::NotServing), Status::Failure, "NOT_SERVING"),
            (Err(Refusal::not_found("nobody")), Status::Failure, "NotFound, nobody"),
            (Err(Refusal::unavailable("")), Status::Failure, "Unavailable, nothing more"),
        ] {
            let finding = judge(&picker, ("readiness", answer));
            assert!(finding.status == status && finding.finding.contains(named), "{finding:?}");
        }
    }
}
