use super::*;
use crate::sources::kubernetes::Container;
use proptest::prelude::*;

fn spec(ports: &[u16]) -> Spec {
    Spec { ports: ports.to_vec(), ..Spec::default() }
}

fn pod() -> Pod {
    let containers = vec![Container { ports: vec![8000, 8001], restarts: 2, sidecar: false }];
    Pod {
        name: "llama-0".into(),
        uid: "u-1".into(),
        address: Some([10, 0, 0, 7].into()),
        ready: true,
        containers,
        ..Pod::default()
    }
}

fn addresses(standing: &Standing) -> Vec<String> {
    standing.endpoints.iter().map(|endpoint| format!("{} {}", endpoint.name, endpoint.address)).collect()
}

#[test]
fn one_target_port_is_an_endpoint_by_the_pods_own_name() {
    let standing = endpoints(&spec(&[8000]), &pod());
    assert_eq!(addresses(&standing), ["llama-0 10.0.0.7:8000"]);
    assert_eq!(standing.state, PodState::Eligible);
    assert_eq!(&*standing.endpoints[0].identity, "u-1:8000:2");
}

#[test]
fn several_target_ports_are_an_endpoint_each_by_rank() {
    let standing = endpoints(&spec(&[8001, 8000, 9000]), &pod());
    assert_eq!(
        addresses(&standing),
        ["llama-0-rank-0 10.0.0.7:8001", "llama-0-rank-1 10.0.0.7:8000", "llama-0-rank-2 10.0.0.7:9000"]
    );
}

#[test]
fn an_ipv6_address_is_printed_in_brackets() {
    let pod = Pod { address: Some("fd00::7".parse().expect("an address")), ..pod() };
    assert_eq!(addresses(&endpoints(&spec(&[8000]), &pod)), ["llama-0 [fd00::7]:8000"]);
}

#[test]
fn a_pod_serves_if_it_is_ready_not_being_deleted_and_has_an_address() {
    for (pod, state) in [
        (pod(), PodState::Eligible),
        (Pod { ready: false, ..pod() }, PodState::NotReady),
        (Pod { ready: false, address: None, ..pod() }, PodState::NotReady),
        (Pod { deleting: true, ..pod() }, PodState::Deleting),
        (Pod { deleting: true, ready: false, ..pod() }, PodState::Deleting),
        (Pod { finished: true, ready: false, ..pod() }, PodState::Finished),
        (Pod { address: None, ..pod() }, PodState::NoAddress),
        (Pod { active_ports: Some(String::new()), ..pod() }, PodState::NoActivePort),
        (Pod { weight: Some("0".into()), ..pod() }, PodState::Weightless),
        (Pod { weight: Some("-1".into()), ..pod() }, PodState::Weightless),
        (Pod { drain: Some("true".into()), ..pod() }, PodState::Eligible),
    ] {
        let standing = endpoints(&spec(&[8000]), &pod);
        assert_eq!(standing.state, state, "{pod:?}");
        let serves = standing.endpoints.iter().any(Endpoint::is_eligible);
        assert_eq!(serves, state == PodState::Eligible, "{pod:?}");
    }
}

#[test]
fn active_ports_leave_those_ranks_that_they_name() {
    for (list, ranks, complains) in [
        (None, &[0, 1][..], false),
        (Some("8000"), &[0], false),
        (Some("8001"), &[1], false),
        (Some(" 8001 , 8000 "), &[0, 1], false),
        (Some("8001,8001,"), &[1], false),
        (Some("9999"), &[], false),
        (Some(""), &[], false),
        (Some(" , "), &[], false),
        (Some("8000abc"), &[], true),
        (Some("+8000"), &[], true),
        (Some("8000 8001"), &[], true),
        (Some("8000,x"), &[0], true),
        (Some("70000"), &[], true),
    ] {
        let pod = Pod { active_ports: list.map(str::to_owned), ..pod() };
        let standing = endpoints(&spec(&[8000, 8001]), &pod);
        let names: Vec<_> = standing.endpoints.iter().map(|endpoint| endpoint.name.to_string()).collect();
        let expected: Vec<_> = ranks.iter().map(|rank| format!("llama-0-rank-{rank}")).collect();
        assert_eq!((names, standing.complaint.is_some()), (expected, complains), "{list:?}");
    }
}

#[test]
fn annotations_set_weight_and_drain_and_odd_ones_change_nothing() {
    for (weight, drain, expected, complains) in [
        (None, None, (1.0, false), false),
        (Some("2.5"), Some("true"), (2.5, true), false),
        (Some(" 2 "), Some(" false "), (2.0, false), false),
        (Some("much"), None, (1.0, false), true),
        (Some("NaN"), None, (1.0, false), true),
        (None, Some("yes"), (1.0, false), true),
    ] {
        let pod = Pod { weight: weight.map(str::to_owned), drain: drain.map(str::to_owned), ..pod() };
        let standing = endpoints(&spec(&[8000]), &pod);
        let endpoint = &standing.endpoints[0];
        assert_eq!(((endpoint.weight, endpoint.draining), standing.complaint.is_some()), (expected, complains));
    }
}

#[test]
fn another_pod_another_port_and_another_start_are_other_endpoints() {
    let identity = |pod: &Pod, port| endpoints(&spec(&[port]), pod).endpoints[0].identity.clone();
    let restarted = vec![Container { ports: vec![8000, 8001], restarts: 3, sidecar: false }];
    let identities = [
        identity(&pod(), 8000),
        identity(&pod(), 8001),
        identity(&Pod { uid: "u-2".into(), ..pod() }, 8000),
        identity(&Pod { containers: restarted, ..pod() }, 8000),
    ];
    for (index, one) in identities.iter().enumerate() {
        assert!(!identities[..index].contains(one), "{one} twice");
    }
    let moved = Pod { address: Some([10, 0, 0, 8].into()), ..pod() };
    assert_eq!(identity(&moved, 8000), identities[0], "an address is no identity");
}

#[test]
fn of_many_odd_words_the_first_is_shown_and_the_others_are_counted() {
    for (list, complaint) in [
        ("8000,x", "active-ports: `x` is no port number"),
        ("x,8000,y,z", "active-ports: `x` is no port number, nor are 2 others"),
    ] {
        let pod = Pod { active_ports: Some(list.into()), ..pod() };
        assert_eq!(endpoints(&spec(&[8000]), &pod).complaint.as_deref(), Some(complaint));
    }
}

proptest! {
    #[test]
    fn no_annotation_makes_a_long_complaint(word in "\\PC{0,90}|[\\x00-\\x1f\u{10ffff}\"]{0,90}", count in 0usize..4000) {
        let text = || Some(format!("{word},").repeat(count) + &word);
        let pod = Pod { active_ports: text(), weight: text(), drain: text(), ..pod() };
        let complaint = endpoints(&spec(&[8000]), &pod).complaint.unwrap_or_default();
        prop_assert!(complaint.len() <= 512, "{} bytes", complaint.len());
    }
}

proptest! {
    #[test]
    fn no_annotation_makes_more_makes_more_endpoints_than_target_ports(text in "[0-9a-z, +-]{0,24}", count in 1usize..8) {
        let ports: Vec<u16> = (0..count as u16).map(|n| 8000 + n).collect();
        let pod = Pod { active_ports: Some(text.clone()), weight: Some(text.clone()), drain: Some(text), ..pod() };
        let standing = endpoints(&spec(&ports), &pod);
        prop_assert!(standing.endpoints.len() <= count);
        prop_assert!(standing.endpoints.iter().all(|it| it.weight.is_finite() && ports.contains(&it.address.port())));
    }
}
