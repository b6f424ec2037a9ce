//! The headers of the conformance suite, with `--conformance-test-headers` and without.

use super::*;
use crate::ext_proc::header::text;

const SELECTION: &str = "test-epp-endpoint-selection";
const SERVED: &str = "x-conformance-test-served-endpoint";
const SELECTED: &str = "x-conformance-test-selected-endpoint";

fn metadata(namespace: &'static str, key: &'static str, text: &str) -> Option<Metadata> {
    Some(Metadata { filter_metadata: vec![said(namespace, key, text)] })
}

/// Two pods with two ranks each, one of them at an address of IPv6.
fn pods(conformance_test_headers: bool) -> Stream {
    let endpoints = ["10.0.0.1:3000", "10.0.0.1:3002", "[fd00::1]:3000", "[fd00::1]:3002"];
    let endpoints = endpoints.map(|address| Endpoint::new(address, address.parse().expect("an address")));
    let (picker, now) = picker(endpoints.to_vec(), |config| config.sessions.generate = false);
    let mut stream = Stream::of(&picker, now);
    let options = Options { conformance_test_headers, ..Options::default() };
    stream.machine = Machine::new(picker, Arc::default(), options);
    stream
}

/// What the headers of a request without a body are answered with: the destination, or the status of a refusal.
fn asked(stream: &mut Stream, selection: Option<&str>) -> Result<RequestAnswer, u16> {
    let selection = selection.map(|text| (SELECTION, text));
    let headers: Vec<_> = [(":path", "/any/path")].into_iter().chain(selection).collect();
    match stream.request_headers(&headers, true).as_slice() {
        [Reply::RequestHeaders(answer)] => Ok(answer.clone()),
        [Reply::Refuse(refusal)] => Err(refusal.status),
        replies => panic!("{replies:?}"),
    }
}

fn destination(stream: &mut Stream, selection: Option<&str>) -> Result<String, u16> {
    asked(stream, selection).map(|answer| text(&answer.destination.expect("a destination")).to_owned())
}

#[test]
fn a_selection_is_met_by_address_and_by_rank_within_the_own_pool() {
    for (selection, expected) in [
        ("10.0.0.1:3002", Ok("10.0.0.1:3002")),
        (" 10.9.9.9 , 10.0.0.1:3000 ", Ok("10.0.0.1:3000")),
        ("fd00::1", Ok("[fd00::1]:300")),
        ("[fd00::1]", Ok("[fd00::1]:300")),
        ("[fd00::1]:3002", Ok("[fd00::1]:3002")),
        ("10.0.0.1", Ok("10.0.0.1:300")),
        ("", Ok("")),
        ("10.9.9.9:3000", Err(503)),
        ("10.0.0.1:3004", Err(503)),
        (",", Err(503)),
        ("r1", Err(503)),
    ] {
        let picked = destination(&mut pods(true), Some(selection));
        let matches = match (&picked, expected) {
            (Ok(picked), Ok(expected)) => picked.starts_with(expected),
            (Err(status), Err(expected)) => *status == expected,
            _ => false,
        };
        assert!(matches, "{selection:?}: {picked:?}");
    }
    assert!(destination(&mut pods(true), None).is_ok());
}

#[test]
fn a_selection_of_nobody_is_refused_before_the_body_and_one_of_somebody_waits_for_it() {
    let chat = |selection| [(":path", "/v1/chat/completions"), (SELECTION, selection)];
    let replies = pods(true).request_headers(&chat("10.9.9.9"), false);
    let [Reply::Refuse(refusal)] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((refusal.status, refusal.reason), (503, "rejected-no-endpoints"));
    assert_eq!(pods(true).request_headers(&chat("10.0.0.1"), false), []);
    assert_eq!(pods(false).request_headers(&chat("10.9.9.9"), false), []);
}

#[test]
fn a_selection_wins_over_the_gateways_hint() {
    let mut stream = pods(true);
    stream.metadata = metadata("envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset", "10.0.0.1:3000");
    assert_eq!(destination(&mut stream, Some("10.0.0.1:3002")).as_deref(), Ok("10.0.0.1:3002"));
    let mut stream = pods(true);
    stream.metadata = metadata("envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset", "10.0.0.1:3000");
    assert_eq!(destination(&mut stream, None).as_deref(), Ok("10.0.0.1:3000"), "without one the hint holds");
}

#[test]
fn the_engine_sees_no_selection_and_is_told_what_to_echo() {
    let answer = asked(&mut pods(true), Some("[fd00::1]:3000")).expect("picked");
    assert_eq!(answer.strip, [SELECTION]);
    assert_eq!(answer.set, Some(("x-echo-set-header", format!("{SERVED}:[fd00::1]:3000").into())));
    assert!(!answer.clear_route_cache);
}

#[test]
fn the_response_names_who_served_by_the_gateways_word_and_else_who_was_picked() {
    let reports = |served: &str| {
        let pairs = [(SERVED, served), (SELECTED, "10.0.0.1:3000")];
        [Reply::ResponseHeaders(pairs.map(|(name, value)| (name.into(), value.into())).to_vec())]
    };
    let mut stream = pods(true);
    destination(&mut stream, Some("10.0.0.1:3000")).expect("picked");
    assert_eq!(stream.response_headers(OK), reports("10.0.0.1:3000"));

    let mut stream = pods(true);
    destination(&mut stream, Some("10.0.0.1:3000")).expect("picked");
    stream.metadata = metadata("envoy.lb", "x-gateway-destination-endpoint-served", "[fd00::1]:3002");
    assert_eq!(stream.response_headers(OK), reports("[fd00::1]:3002"));
}

#[test]
fn a_reply_of_the_gateways_own_before_any_pick_names_nobody() {
    let mut stream = pods(true);
    stream.request_headers(&[(":path", "/v1/chat/completions")], false);
    assert_eq!(stream.response_headers(&[(":status", "404")]), [Reply::ResponseHeaders(Vec::new())]);
}

#[test]
fn without_the_flag_none_of_it_means_anything() {
    let mut stream = pods(false);
    let answer = asked(&mut stream, Some("10.9.9.9")).expect("picked");
    assert_eq!((answer.strip, answer.set), (Vec::new(), None));
    assert_eq!(stream.response_headers(OK), [Reply::ResponseHeaders(Vec::new())]);
}
