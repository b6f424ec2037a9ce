//! The pods that are wanted: which serve, and why the others do not.

use std::time::Duration;

use super::{in_time, mend};
use crate::cli::doctor::finding::{Finding, count, some};
use crate::metrics::PodState;
use crate::model::Endpoint;
use crate::sources::kubernetes::endpoints::{Standing, endpoints};
use crate::sources::kubernetes::{Cluster, Pod, Spec, Unanswered, selector_text};

/// The name of this check.
pub const NAME: &str = "endpoints";

/// Lists them; returns the endpoints that may serve.
pub async fn check(cluster: &Cluster, spec: &Spec, limit: Duration) -> (Vec<Finding>, Vec<Endpoint>) {
    match in_time(limit, cluster.pods(spec)).await {
        Ok(pods) => judge(spec, cluster.namespace(), &pods),
        Err(unanswered) => (failed(cluster.namespace(), &unanswered), Vec::new()),
    }
}

fn failed(namespace: &str, unanswered: &Unanswered) -> Vec<Finding> {
    vec![Finding::failure(NAME, format!("the pods of {namespace}: {unanswered}"), mend(unanswered))]
}

fn judge(spec: &Spec, namespace: &str, pods: &[Pod]) -> (Vec<Finding>, Vec<Endpoint>) {
    if pods.is_empty() {
        let labels = selector_text(&spec.selector);
        let fix = "start engines with these labels there, or let the selector name the labels that they have";
        return (
            vec![Finding::failure(NAME, format!("no pod in {namespace} has the labels {labels}"), fix)],
            Vec::new(),
        );
    }
    let standings: Vec<(&Pod, Standing)> = pods.iter().map(|pod| (pod, endpoints(spec, pod))).collect();
    let of = |state: PodState| -> Vec<String> {
        let those = standings.iter().filter(|(_, standing)| standing.state == state);
        those.map(|(pod, _)| pod.name.to_string()).collect()
    };
    let eligible: Vec<Endpoint> = standings
        .iter()
        .filter(|(_, standing)| standing.state == PodState::Eligible)
        .flat_map(|(_, standing)| standing.endpoints.clone())
        .collect();
    let serving = of(PodState::Eligible).len();
    let summary = format!("{serving} of {} may serve, {}", count(pods.len(), "pod"), count(eligible.len(), "endpoint"));
    let mut findings = Vec::new();
    if serving == 0 {
        findings.push(Finding::failure(
            NAME,
            summary,
            "mend at least one of the pods below: until then requests get 503",
        ));
    } else {
        findings.push(Finding::ok(NAME, summary));
    }
    for state in PodState::ALL.into_iter().filter(|state| *state != PodState::Eligible) {
        let pods = of(state);
        if pods.is_empty() {
            continue;
        }
        let finding = format!("{} excluded as {}: {}", count(pods.len(), "pod"), state.as_str(), some(&pods));
        findings.push(match fix(state, namespace, &pods[0]) {
            Some(fix) => Finding::warning(NAME, finding, fix),
            None => Finding::ok(NAME, finding),
        });
    }
    for (pod, standing) in &standings {
        if let Some(complaint) = &standing.complaint {
            findings.push(Finding::warning(NAME, format!("{}: {complaint}", pod.name), "correct the pod's annotation"));
        }
    }
    (findings, eligible)
}

/// What to do about an excluded pod; nothing where it is on its way out anyway.
fn fix(state: PodState, namespace: &str, pod: &str) -> Option<String> {
    Some(match state {
        PodState::Eligible | PodState::Deleting | PodState::Finished => return None,
        PodState::NotReady => format!("see why it is not ready: kubectl -n {namespace} describe pod {pod}"),
        PodState::NoAddress => format!("see why it has no address yet: kubectl -n {namespace} describe pod {pod}"),
        PodState::NoActivePort => {
            "let its annotation llm-d.ai/active-ports name one of the target ports, or take it away".to_owned()
        }
        PodState::Weightless => "give its annotation homing.dev/weight a number above 0, or take it away".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn spec() -> Spec {
        Spec { selector: [("app".to_owned(), "llama".to_owned())].into(), ports: vec![8000, 8001], http2: false }
    }

    fn pod(name: &str, change: impl FnOnce(&mut Pod)) -> Pod {
        let mut pod = Pod { name: name.into(), ready: true, address: Some([10, 0, 0, 7].into()), ..Pod::default() };
        change(&mut pod);
        pod
    }

    #[test]
    fn pods_are_counted_and_the_excluded_named_with_their_reason() {
        let pods = [
            pod("a", |_| {}),
            pod("b", |pod| pod.ready = false),
            pod("c", |pod| pod.weight = Some("0".to_owned())),
            pod("d", |pod| pod.deleting = true),
            pod("e", |pod| pod.drain = Some("maybe".to_owned())),
        ];
        let (findings, endpoints) = judge(&spec(), "llm", &pods);
        assert_eq!(endpoints.len(), 4, "two pods of two ports");
        let told: Vec<_> = findings.iter().map(|it| (it.status, it.finding.as_str())).collect();
        assert_eq!(
            told,
            [
                (Status::Ok, "2 of 5 pods may serve, 4 endpoints"),
                (Status::Ok, "1 pod excluded as deleting: d"),
                (Status::Warning, "1 pod excluded as not-ready: b"),
                (Status::Warning, "1 pod excluded as weight: c"),
                (Status::Warning, "e: homing.dev/drain: `maybe` is neither true nor false; false counts instead"),
            ]
        );
        assert_eq!(findings[2].fix.as_deref(), Some("see why it is not ready: kubectl -n llm describe pod b"));
    }

    #[test]
    fn no_pod_and_no_eligible_pod_are_failures() {
        let (findings, _) = judge(&spec(), "llm", &[]);
        assert_eq!(findings[0].finding, "no pod in llm has the labels app=llama");
        let (findings, endpoints) = judge(&spec(), "llm", &[pod("a", |pod| pod.active_ports = Some(String::new()))]);
        assert_eq!((findings[0].status, endpoints.len()), (Status::Failure, 0));
        assert_eq!(findings[0].finding, "0 of 1 pod may serve, 0 endpoints");
        assert_eq!(findings[1].finding, "1 pod excluded as no-active-port: a");
    }
}
