//! The InferencePool: whether it is there, what it wants, and whom it names as its picker.

use std::time::Duration;

use super::picker::PickerAddress;
use super::{in_time, mend};
use crate::cli::doctor::finding::{Finding, count, some};
use crate::sources::kubernetes::{Cluster, FoundPool, PickerPort, PickerRef, Spec, Unanswered, selector_text};

/// The name of this check.
pub const NAME: &str = "pool";

/// Looks for the pool, and says which pods it wants if it is there.
pub async fn check(
    cluster: &Cluster,
    name: &str,
    picker: Option<&PickerAddress>,
    limit: Duration,
) -> (Vec<Finding>, Option<Spec>) {
    let found = in_time(limit, cluster.pool(name)).await;
    let others = match &found {
        // For the fix alone: without the right to see them, it names none.
        Ok(None) => in_time(limit, cluster.pool_names()).await.unwrap_or_default(),
        _ => Vec::new(),
    };
    let findings = judge(&found, cluster.namespace(), name, &others, picker);
    (findings, found.ok().flatten().map(|pool| pool.spec))
}

fn judge(
    found: &Result<Option<FoundPool>, Unanswered>,
    namespace: &str,
    name: &str,
    others: &[String],
    picker: Option<&PickerAddress>,
) -> Vec<Finding> {
    let pool = match found {
        Ok(Some(pool)) => pool,
        Ok(None) => {
            let others = if others.is_empty() { String::new() } else { format!(" (there are: {})", some(others)) };
            let fix = "create it, or name another with --pool-name and --pool-namespace";
            return vec![Finding::failure(NAME, format!("no InferencePool {name} in {namespace}{others}"), fix)];
        }
        Err(unanswered) => {
            return vec![Finding::failure(NAME, format!("{namespace}/{name}: {unanswered}"), mend(unanswered))];
        }
    };
    let Spec { selector, ports, http2 } = &pool.spec;
    let http2 = if *http2 { ", HTTP/2 without TLS" } else { "" };
    let numbers = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let finding = format!(
        "{namespace}/{name}: pods with {}, {} {numbers}{http2}, {}",
        selector_text(selector),
        if ports.len() == 1 { "port".to_owned() } else { count(ports.len(), "port") },
        named(pool.picker.as_ref())
    );
    let mut findings = vec![Finding::ok(NAME, finding)];
    if let (Some(named), Some(picker)) = (&pool.picker, picker)
        && let Some((service, port)) = picker.service()
        && (named.name != service || named.port != Some(PickerPort { number: port }))
    {
        let finding = format!("a gateway asks {}, and not {service}:{port}, which --picker names", of(named));
        let fix = format!(
            "let the pool's endpointPickerRef name {service} and its port {port}, or give the other to --picker"
        );
        findings.push(Finding::warning(NAME, finding, fix));
    }
    findings
}

fn named(picker: Option<&PickerRef>) -> String {
    match picker {
        Some(picker) => format!("its endpointPickerRef names {}", of(picker)),
        None => "no endpointPickerRef".to_owned(),
    }
}

fn of(picker: &PickerRef) -> String {
    let kind = if picker.kind.is_empty() { "Service" } else { &picker.kind };
    let port = picker.port.as_ref().map(|port| format!(":{}", port.number)).unwrap_or_default();
    format!("{kind} {}{port}", picker.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;
    use crate::sources::kubernetes::Trouble;

    fn pool(picker: Option<PickerRef>) -> Result<Option<FoundPool>, Unanswered> {
        let selector = [("app".to_owned(), "llama".to_owned())].into();
        Ok(Some(FoundPool { spec: Spec { selector, ports: vec![8000, 8001], http2: false }, picker }))
    }

    fn named_homing() -> PickerRef {
        PickerRef { kind: String::new(), name: "homing".to_owned(), port: Some(PickerPort { number: 9002 }) }
    }

    #[test]
    fn a_pool_is_read_aloud() {
        let findings = judge(&pool(Some(named_homing())), "llm", "llama", &[], None);
        let text =
            "llm/llama: pods with app=llama, 2 ports 8000, 8001, its endpointPickerRef names Service homing:9002";
        assert_eq!(findings, [Finding::ok(NAME, text)]);
        let findings = judge(&pool(None), "llm", "llama", &[], None);
        assert!(findings[0].status == Status::Ok && findings[0].finding.ends_with("no endpointPickerRef"));
    }

    #[test]
    fn a_pool_of_another_picker_is_a_warning() {
        for (picker, warned) in [
            ("homing.llm.svc:9002", false),
            ("homing.llm.svc.cluster.local:9002", false),
            ("homing:9002", false),
            ("10.0.0.7:9002", false),
            ("localhost:1234", false),
            ("homing.llm.svc:9003", true),
            ("other.llm.svc:9002", true),
        ] {
            let address = PickerAddress::parse(picker).expect("an address");
            let findings = judge(&pool(Some(named_homing())), "llm", "llama", &[], Some(&address));
            assert_eq!(findings.len() == 2 && findings[1].status == Status::Warning, warned, "{picker}: {findings:?}");
        }
    }

    #[test]
    fn a_pool_that_is_not_there_fails_and_names_the_others() {
        let findings = judge(&Ok(None), "llm", "llama", &["qwen".to_owned()], None);
        assert_eq!(findings[0].status, Status::Failure);
        assert_eq!(findings[0].finding, "no InferencePool llama in llm (there are: qwen)");
        let forbidden = Unanswered { trouble: Trouble::Forbidden, said: "no".to_owned() };
        let findings = judge(&Err(forbidden), "llm", "llama", &[], None);
        assert!(findings[0].fix.as_ref().is_some_and(|fix| fix.contains("`permissions`")), "{findings:?}");
    }
}
