use super::*;
use crate::sources::kubernetes::endpoints::endpoints;
use crate::sources::kubernetes::{Container, Pod, Spec, Template};

const GRACE: Duration = Duration::from_secs(30);

fn spec() -> Spec {
    Spec { ports: vec![8000], ..Spec::default() }
}

fn pod(name: &str, ready: bool) -> Pod {
    let address = Some([10, 0, 0, name.as_bytes()[0]].into());
    let containers = vec![Container { ports: vec![8000], ..Container::default() }];
    Pod { name: name.into(), uid: format!("uid of {name}").into(), address, ready, containers, ..Pod::default() }
}

/// Who of `pods` is in the pool.
fn call<const N: usize>(roster: &mut Roster, pods: [Pod; N], now: Instant) -> Roll {
    call_if(true, roster, pods, now)
}

/// The same where it may be that they were so and are not any more.
fn call_if<const N: usize>(sure: bool, roster: &mut Roster, pods: [Pod; N], now: Instant) -> Roll {
    let standing = pods.map(|pod| (Arc::clone(&pod.name), endpoints(&spec(), &pod)));
    roster.call(standing.iter().map(|(name, standing)| (name, standing)), sure, now)
}

/// Names of the endpoints, those that are away in brackets.
fn names(roll: &Roll) -> String {
    let name = |endpoint: &Endpoint| {
        if endpoint.ready { endpoint.name.to_string() } else { format!("({})", endpoint.name) }
    };
    roll.endpoints.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn seconds(from: Instant, seconds: u64) -> Instant {
    from + Duration::from_secs(seconds)
}

#[test]
fn a_pod_that_is_not_ready_for_a_moment_keeps_its_place_until_the_grace_period_ends() {
    let (mut roster, start) = (Roster::new(GRACE), Instant::now());
    let mut call = |ready: bool, at| call(&mut roster, [pod("a", true), pod("b", ready)], at);
    assert_eq!(names(&call(false, start)), "a", "b was never ready");
    assert_eq!(names(&call(true, seconds(start, 1))), "a b");
    let roll = call(false, seconds(start, 2));
    assert_eq!((names(&roll).as_str(), roll.next), ("a (b)", Some(seconds(start, 32))));
    assert_eq!(names(&call(false, seconds(start, 31))), "a (b)");
    assert_eq!(names(&call(true, seconds(start, 31))), "a b", "back in time");
    let roll = call(false, seconds(start, 40));
    assert_eq!((names(&roll).as_str(), roll.next), ("a (b)", Some(seconds(start, 70))), "the period begins anew");
    let roll = call(false, seconds(start, 70));
    assert_eq!((names(&roll).as_str(), roll.next), ("a", None));
    assert_eq!(names(&call(false, seconds(start, 71))), "a", "and it stays out");
}

#[test]
fn no_grace_period_ends_while_nobody_knows_and_it_begins_anew_when_that_is_over() {
    let (mut roster, start) = (Roster::new(GRACE), Instant::now());
    let mut call = |sure, ready, at| call_if(sure, &mut roster, [pod("a", true), pod("b", ready)], at);
    call(true, true, start);
    assert_eq!(call(true, false, start).next, Some(seconds(start, 30)));
    let roll = call(false, false, seconds(start, 29));
    assert_eq!((names(&roll).as_str(), roll.next), ("a (b)", None));
    assert_eq!(names(&call(false, false, seconds(start, 300))), "a (b)", "it may be ready long since");
    let roll = call(true, false, seconds(start, 400));
    assert_eq!((names(&roll).as_str(), roll.next), ("a (b)", Some(seconds(start, 430))), "now it is known not to be");
    assert_eq!(names(&call(true, false, seconds(start, 430))), "a");
}

#[test]
fn a_grace_period_of_any_length_is_taken() {
    let (mut roster, start) = (Roster::new(Duration::MAX), Instant::now());
    call(&mut roster, [pod("a", true)], start);
    let roll = call(&mut roster, [pod("a", false)], seconds(start, 1));
    assert_eq!((names(&roll).as_str(), roll.next), ("(a)", None));
}

#[test]
fn a_pod_that_goes_for_good_is_out_at_once() {
    for gone in [
        Pod { deleting: true, ..pod("b", true) },
        Pod { deleting: true, ..pod("b", false) },
        Pod { finished: true, ..pod("b", false) },
        Pod { uid: "another".into(), ..pod("b", false) },
        Pod { address: None, ..pod("b", true) },
        Pod { active_ports: Some(String::new()), ..pod("b", true) },
    ] {
        let (mut roster, start) = (Roster::new(GRACE), Instant::now());
        call(&mut roster, [pod("a", true), pod("b", true)], start);
        let roll = call(&mut roster, [pod("a", true), gone.clone()], start);
        assert_eq!((names(&roll).as_str(), roll.next), ("a", None), "{gone:?}");
    }
}

#[test]
fn a_container_that_was_started_again_is_another_endpoint_and_keeps_nothing() {
    let (mut roster, start) = (Roster::new(GRACE), Instant::now());
    let first = call(&mut roster, [pod("a", true)], start);
    let restarted = |ready| Pod {
        containers: vec![Container { ports: vec![8000], restarts: 1, sidecar: false }],
        ..pod("a", ready)
    };
    assert_eq!(names(&call(&mut roster, [restarted(false)], start)), "");
    let second = call(&mut roster, [restarted(true)], start);
    assert_eq!(names(&second), "a");
    assert_ne!(first.endpoints[0].identity, second.endpoints[0].identity);
}

#[test]
fn without_a_grace_period_a_flap_is_a_removal() {
    let (mut roster, start) = (Roster::new(Duration::ZERO), Instant::now());
    call(&mut roster, [pod("a", true)], start);
    assert_eq!(names(&call(&mut roster, [pod("a", false)], start)), "");
}

#[test]
fn each_change_is_told_once_and_all_pods_are_counted() {
    let (mut roster, start) = (Roster::new(GRACE), Instant::now());
    let odd = |name: &str| Pod { drain: Some("maybe".into()), ..pod(name, true) };
    let roll = call(&mut roster, [pod("a", true), odd("b"), pod("c", false)], start);
    let [eligible, _, _, not_ready, ..] = roll.counts;
    assert_eq!((eligible, not_ready, roll.changed.len(), roll.complaints.len()), (2, 1, 3, 1));

    let roll = call(&mut roster, [pod("a", true), odd("b"), pod("c", true)], start);
    assert_eq!(roll.changed, [("c".into(), PodState::Eligible)]);
    assert!(roll.complaints.is_empty(), "it was said before");

    let roll = call(&mut roster, [odd("b")], start);
    assert!(roll.changed.is_empty(), "a pod that is no more has no state");
    assert_eq!(roll.counts.iter().sum::<usize>(), 1);
}

fn made(name: &str, workload: &str, hash: &str, created: i64, ready: bool) -> Pod {
    let template = Some(Template { workload: workload.into(), hash: hash.into(), created });
    Pod { template, ..pod(name, ready) }
}

/// The endpoints that are outdated.
fn outdated(roll: &Roll) -> String {
    roll.endpoints.iter().filter(|endpoint| endpoint.outdated).map(|endpoint| &*endpoint.name).collect()
}

#[test]
fn a_template_stays_as_old_as_it_was_when_all_its_pods_are_made_again_after_those_of_a_newer_one() {
    let (mut roster, start) = (Roster::new(GRACE), Instant::now());
    let canary = || made("c", "llama", "2", 200, true);
    let stable = |name, created| made(name, "llama", "1", created, true);
    let roll = call(&mut roster, [stable("a", 100), canary()], start);
    assert_eq!(outdated(&roll), "a");
    let roll = call(&mut roster, [stable("a", 100), stable("b", 300), canary()], start);
    assert_eq!(outdated(&roll), "ab");
    let roll = call(&mut roster, [stable("b", 300), canary()], start);
    assert_eq!(outdated(&roll), "b", "its first pod is gone");

    call(&mut roster, [canary()], start);
    let roll = call(&mut roster, [stable("a", 400), canary()], start);
    assert_eq!(outdated(&roll), "c", "it had no pod left, so this is a rollback");
}

#[test]
fn endpoints_of_an_older_template_are_outdated_while_a_pod_of_a_newer_one_serves() {
    let (mut roster, start) = (Roster::new(GRACE), Instant::now());
    for (new_is_ready, expected) in [(false, ""), (true, "a"), (false, ""), (true, "a")] {
        let pods = [
            made("a", "llama", "1", 100, true),
            made("b", "llama", "2", 200, new_is_ready),
            made("c", "mistral", "1", 50, true),
            pod("d", true),
        ];
        let roll = call(&mut roster, pods, start);
        assert_eq!(outdated(&roll), expected, "{new_is_ready}");
    }
}
