//! One check a file; the order is that of the report.

pub mod api_server;
pub mod certificate;
pub mod clock;
pub mod configuration;
pub mod definitions;
pub mod endpoints_file;
pub mod health;
pub mod metrics;
pub mod permissions;
pub mod picker;
pub mod pods;
pub mod pool;
pub mod ports;
pub mod shared_state;
pub mod tls;

use std::time::Duration;

use crate::sources::kubernetes::{Trouble, Unanswered};

/// The answer of the API server, if it comes in time.
async fn in_time<T>(limit: Duration, answer: impl Future<Output = Result<T, Unanswered>>) -> Result<T, Unanswered> {
    let late = |_| Unanswered {
        trouble: Trouble::Unreachable,
        said: format!("no answer within {}", humantime::format_duration(limit)),
    };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// What to do about an API server that does not answer a question.
fn mend(unanswered: &Unanswered) -> &'static str {
    match unanswered.trouble {
        Trouble::Unreachable => {
            "see that the API server is up, and that the network (a NetworkPolicy, a firewall, a proxy) lets you reach it; \
             more time is --timeout"
        }
        Trouble::Unauthorized => {
            "renew the credentials: the token of the pod or of the kubeconfig has expired, or is of another cluster"
        }
        Trouble::Forbidden => "give the right that is missing: the check `permissions` names the rule",
        Trouble::UnknownKind => "install what is missing: the check `definitions` names it",
        Trouble::Failing => "look at the API server's log, then run this again",
    }
}
