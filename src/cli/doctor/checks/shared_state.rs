//! What replicas share: whether it can be reached, read and written.

use std::time::Duration;

use super::super::finding::Finding;
use crate::metrics::SharingFailure;
use crate::sources::shared_state::{Failure, Looked, Server, look};

/// The name of this check.
pub const NAME: &str = "shared-state";
/// An answer that takes longer adds to how late the others' news come.
const SLOW: Duration = Duration::from_millis(20);

/// Connects, and asks for the log of this group, or of one that nobody has where it is not known.
pub async fn check(server: &Server, group: Option<&str>, limit: Duration) -> Finding {
    let looking = tokio::time::timeout(limit, look(server, group.unwrap_or("doctor")));
    let late =
        |_| Failure::new(SharingFailure::Timeout, format!("no answer within {}", humantime::format_duration(limit)));
    judge(&server.name(), looking.await.unwrap_or_else(|elapsed| Err(late(elapsed))), group.is_some())
}

fn judge(server: &str, looked: Result<Looked, Failure>, is_group_known: bool) -> Finding {
    match looked {
        Ok(Looked { took, entries }) => {
            let entries = if is_group_known { format!(", {entries} entries in the log") } else { String::new() };
            let took_millis = took.as_secs_f64() * 1_000.0;
            let finding = format!("{server} answers in {took_millis:.1} ms, and may be read and written{entries}");
            if took <= SLOW {
                return Finding::ok(NAME, finding);
            }
            Finding::warning(NAME, finding, "move it nearer: each replica knows what others do by so much later")
        }
        Err(failure) => Finding::failure(NAME, format!("{server}: {failure}"), mend(failure.kind)),
    }
}

fn mend(kind: SharingFailure) -> &'static str {
    match kind {
        SharingFailure::Unreachable => {
            "see that it is up and that a NetworkPolicy lets Homing reach it; until then each replica goes on alone"
        }
        SharingFailure::Timeout => "see what it is busy with, or whether the network drops what is sent to it",
        SharingFailure::Login => {
            "correct the user in --shared-state and --shared-state-password-file; the user needs ~homing:* +xadd +xread \
             +xrevrange +xlen +xtrim +expire, and +role where sentinels name the primary"
        }
        SharingFailure::ReadOnly => "name the primary in --shared-state, or its sentinels by --shared-state-sentinel",
        SharingFailure::OutOfMemory => "raise its maxmemory, or lower --shared-state-log",
        SharingFailure::WrongType => "the key is somebody else's: choose another database or --state-group",
        SharingFailure::NotReady => "wait until it has loaded, and all nodes of its cluster are up",
        SharingFailure::File => "correct --shared-state-password-file or --shared-state-ca-file",
        SharingFailure::Other => {
            "see its log; TLS wants rediss:// and --shared-state-ca-file, a cluster --shared-state-cluster"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    #[test]
    fn an_answer_is_well_a_slow_one_worth_a_word_and_none_a_failure_with_what_to_do() {
        let looked = |millis| Ok(Looked { took: Duration::from_millis(millis), entries: 7 });
        let near = judge("v:6379", looked(1), true);
        assert_eq!(near.finding, "v:6379 answers in 1.0 ms, and may be read and written, 7 entries in the log");
        let far = judge("v:6379", looked(30), false);
        assert_eq!((near.status, far.status), (Status::Ok, Status::Warning));
        assert!(!far.finding.contains("entries"));
        for kind in SharingFailure::ALL {
            let finding = judge("v:6379", Err(Failure::new(kind, "no")), false);
            assert_eq!(finding.status, Status::Failure);
            assert!(finding.fix.is_some_and(|fix| fix.len() > 20), "{kind:?}");
        }
    }
}
