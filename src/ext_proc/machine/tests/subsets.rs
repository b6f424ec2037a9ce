//! The subset hint: on every request, in every mode, on whichever message it comes.

use super::*;

fn hint(text: &str) -> Metadata {
    let hint = said("envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset", text);
    Metadata { filter_metadata: vec![hint] }
}

fn refused(replies: &[Reply]) -> bool {
    matches!(replies, [Reply::Refuse(refusal)] if (refusal.status, refusal.reason) == (503, "rejected-no-endpoints"))
}

#[test]
fn a_hint_restricts_in_every_mode_with_and_without_a_body() {
    for mode in 0..=4 {
        for (text, is_refused) in [("127.0.0.1:8000", false), ("127.0.0.1:1", true), ("", true)] {
            for no_body in [true, false] {
                let mut stream = stream(&["r1"], |_| ());
                stream.protocol_config.as_mut().expect("set").request_body_mode = mode;
                stream.metadata = Some(hint(text));
                let mut replies = stream.request_headers(CHAT, no_body);
                if !no_body && !refused(&replies) {
                    let late = stream.request_body(b"{}", true);
                    if refused(&late) {
                        replies = late;
                    }
                }
                assert_eq!(refused(&replies), is_refused, "{text:?} in mode {mode}, no body {no_body}");
            }
        }
    }
}

#[test]
fn a_hint_that_comes_with_the_body_counts_as_well() {
    let mut stream = stream(&["r1"], |_| ());
    assert_eq!(stream.request_headers(CHAT, false), []);
    stream.metadata = Some(hint("10.9.9.9"));
    assert!(refused(&stream.request_body(b"{}", true)));
}

#[test]
fn the_first_hint_counts() {
    let mut stream = stream(&["r1"], |_| ());
    stream.metadata = Some(hint("127.0.0.1"));
    assert_eq!(stream.request_headers(CHAT, false), []);
    stream.metadata = Some(hint("10.9.9.9"));
    assert_eq!(stream.request_body(b"", true).first(), Some(&routed()));
}

#[test]
fn a_header_of_that_name_is_a_clients_and_restricts_nothing() {
    let mut stream = stream(&["r1"], |_| ());
    let headers = [(":path", "/v1/models"), ("x-gateway-destination-endpoint-subset", "10.9.9.9")];
    let replies = stream.request_headers(&headers, true);
    let [Reply::RequestHeaders(answer)] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!(answer.destination, Some("127.0.0.1:8000".into()));
    assert_eq!(answer.strip, ["x-gateway-destination-endpoint-subset"]);
}
