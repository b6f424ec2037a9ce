//! Observability mode: everything happens but replies.

use super::*;

const SECOND: &str = "127.0.0.1:9000";

fn observing(change: impl FnOnce(&mut PickerConfig)) -> Stream {
    watching(vec![Endpoint::new("r1", ([127, 0, 0, 1], 8000).into())], change)
}

fn watching(endpoints: Vec<Endpoint>, change: impl FnOnce(&mut PickerConfig)) -> Stream {
    let (picker, now) = picker(endpoints, change);
    Stream { protocol_config: None, observe: true, ..Stream::of(&picker, now) }
}

fn served_by(address: &str) -> Vec<Namespace> {
    vec![said("envoy.filters.http.ext_proc", "upstream.address", address)]
}

#[test]
fn a_gateway_that_only_shows_gets_no_reply_and_everything_is_accounted() {
    let mut stream = observing(|_| ());
    assert_eq!(stream.request_headers(CHAT, false), []);
    assert_eq!(stream.request_body(br#"{"model":"m","messages":[]}"#, true), []);
    assert_eq!(stream.load().1, 1);
    assert_eq!(stream.response_headers(OK), []);
    assert_eq!(stream.response_body(b"data: 1", true), []);
    assert_eq!(stream.load(), (0.0, 0));
    assert_eq!(stream.machine.on_close(stream.now), Close::Complete);
    assert_eq!(stream.picker.metrics().observed.get(), 1);
    assert_eq!(stream.picker.metrics().ended.of(EndLabel::Completed).get(), 1);
}

#[test]
fn a_body_that_is_not_shown_is_picked_by_its_headers_when_the_response_comes() {
    let mut stream = observing(|_| ());
    stream.request_headers(CHAT, false);
    assert_eq!(stream.load().1, 0);
    stream.response_headers(OK);
    assert_eq!(stream.load().1, 1);
    stream.response_body(b"", true);
    assert_eq!(stream.load().1, 0);
}

#[test]
fn the_booking_is_where_the_gateway_went_and_nobody_is_blamed_for_it() {
    let second = Endpoint::new("r2", SECOND.parse().expect("an address"));
    let first = Endpoint::new("r1", ([127, 0, 0, 1], 8000).into());
    let mut stream = watching(vec![first, Endpoint { weight: 0.0, ..second }], |_| ());
    stream.request_headers(CHAT, true);
    let message = ProcessingRequest {
        request: Some(Request::ResponseHeaders(headers(OK, false))),
        attributes: served_by(SECOND),
        ..ProcessingRequest::default()
    };
    stream.machine.message(message, stream.now);
    let views = stream.picker.endpoints(stream.now.instant);
    assert_eq!(views.iter().map(|view| view.in_flight).collect::<Vec<_>>(), [0, 1]);
    assert!(views.iter().all(|view| view.failure_share == 0.0));
    assert_eq!(stream.picker.metrics().served_elsewhere.get(), 1);
}

#[test]
fn no_id_is_generated_where_no_client_would_get_it() {
    let mut stream = observing(|_| ());
    stream.request_headers(&[(":path", "/v1/models")], true);
    assert_eq!(stream.picker.decisions().recent(1)[0].session, crate::model::SessionSource::None);
}

#[test]
fn nothing_is_refused_and_no_stream_is_ended() {
    let mut stream = observing(|config| config.limits.request_body = ByteSize(1024));
    stream.request_headers(CHAT, false);
    assert_eq!(stream.request_body(&[b'x'; 2000], true), []);
    assert!(!stream.machine.is_over());
    assert_eq!(stream.response_headers(OK), []);
    assert_eq!(stream.picker.metrics().buffered_bytes.get(), 0);
}

#[test]
fn an_error_of_who_knows_whom_is_nobodys_failure_and_one_of_a_known_endpoint_is_its_own() {
    for (attributes, share) in [(Vec::new(), 0.0), (served_by("127.0.0.1:8000"), 0.5)] {
        let mut stream = observing(|_| ());
        stream.request_headers(CHAT, true);
        let answer = [(":status", "503"), ("content-type", "text/plain")];
        let message = ProcessingRequest {
            request: Some(Request::ResponseHeaders(headers(&answer, true))),
            attributes,
            ..ProcessingRequest::default()
        };
        stream.machine.message(message, stream.now);
        assert_eq!(stream.picker.endpoints(stream.now.instant)[0].failure_share, share);
        assert_eq!(stream.load(), (0.0, 0));
    }
}
