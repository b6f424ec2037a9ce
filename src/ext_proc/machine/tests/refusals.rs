//! Refusals: in every mode, in the client's own terms, and never after the response has begun.

use super::*;

const MODES: [i32; 5] = [0, 1, 2, 3, 4];

/// The refusal of a whole request, wherever in it that comes.
fn refusal(stream: &mut Stream, headers: &[(&str, &str)], body: &[u8]) -> super::super::Refusal {
    let mut replies = stream.request_headers(headers, false);
    if !matches!(replies.last(), Some(Reply::Refuse(_))) {
        replies = stream.request_body(body, true);
    }
    match replies.pop() {
        Some(Reply::Refuse(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_pool_is_a_503_in_every_mode() {
    for mode in MODES {
        let mut stream = stream(&[], |_| ());
        stream.protocol_config.as_mut().expect("set").request_body_mode = mode;
        let refusal = refusal(&mut stream, CHAT, b"{}");
        assert_eq!((refusal.status, refusal.reason, refusal.is_grpc), (503, "rejected-no-endpoints", false));
        assert_eq!(refusal.session, Some(("x-session-id".into(), "s".into())), "mode {mode}");
        assert_eq!(stream.request_body(b"more", true), [], "nothing follows");
        assert!(stream.machine.is_over());
    }
}

#[test]
fn a_client_that_speaks_grpc_is_refused_in_grpc() {
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let mut stream = stream(&[], |_| ());
        let headers = [(":path", "/inference.Service/Infer"), ("content-type", content_type)];
        assert!(refusal(&mut stream, &headers, b"").is_grpc, "{content_type}");
    }
}

#[test]
fn a_saturated_pool_is_a_429_that_says_when_to_come_back() {
    for mode in MODES {
        let mut stream = stream(&["r1"], |config| config.limits.waiting_tokens_per_endpoint = Some(1_000));
        stream.protocol_config.as_mut().expect("set").request_body_mode = mode;
        let request = crate::model::Request {
            id: None,
            session: crate::model::SessionHint::default(),
            subset: None,
            prompt: None,
            unread_bytes: Some(60_000),
        };
        let _busy = stream.picker.pick(&request, stream.now).expect("an endpoint");
        let refusal = refusal(&mut stream, CHAT, b"{}");
        assert_eq!((refusal.status, refusal.reason), (429, "rejected-saturated"));
        // 14,000 tokens over the limit, at 10,000 a second.
        assert_eq!(refusal.retry_after, Some(2), "mode {mode}");
    }
}

#[test]
fn a_body_that_no_engine_takes_is_refused_in_strict_mode_only() {
    for (body, is_fault) in
        [(&b"{"[..], true), (b"[]", true), (br#"{"messages":[]}"#, true), (br#"{"model":"m","messages":[]}"#, false)]
    {
        for strict in [false, true] {
            let mut stream = stream(&["r1"], |config| config.limits.strict = strict);
            stream.request_headers(CHAT, false);
            let replies = stream.request_body(body, true);
            let refused = match replies.as_slice() {
                [Reply::Refuse(refusal)] => Some((refusal.status, refusal.reason)),
                _ => None,
            };
            let expected = (strict && is_fault).then_some((400, "invalid-request"));
            assert_eq!(refused, expected, "{} with strict {strict}", String::from_utf8_lossy(body));
        }
    }
}

#[test]
fn what_is_not_read_is_never_called_invalid() {
    let mut stream = stream(&["r1"], |config| config.limits.strict = true);
    let compressed = [(":path", "/v1/completions"), ("content-encoding", "gzip")];
    assert_eq!(stream.request_headers(&compressed, false), [routed()]);
    assert_eq!(stream.request_body(b"\x1f\x8b", true), [Reply::RequestBody(piece(b"\x1f\x8b", true))]);
}

#[test]
fn a_body_over_the_limit_is_a_413_where_the_gateway_buffers_it_too() {
    for (mode, status) in [(2, Some(413)), (4, Some(413)), (0, None), (1, None), (3, None)] {
        let mut stream = stream(&["r1"], |config| config.limits.request_body = ByteSize(1024));
        stream.protocol_config.as_mut().expect("set").request_body_mode = mode;
        stream.request_headers(CHAT, false);
        let replies = stream.request_body(&[b'x'; 2000], true);
        let refused = match replies.as_slice() {
            [Reply::Refuse(refusal)] => Some(refusal.status),
            _ => None,
        };
        assert_eq!(refused, status, "mode {mode}");
    }
}

#[test]
fn an_unread_body_that_may_name_the_session_gets_no_id_that_would_outrank_it() {
    let path = [(":path", "/v1/chat/completions")];
    for catalogue in [true, false] {
        let mut stream = stream(&["r1"], |config| {
            config.limits.buffered_bodies = ByteSize(1024);
            config.limits.request_body = ByteSize(1024);
            config.sessions.catalogue = catalogue;
        });
        stream.request_headers(&path, false);
        // Each chunk takes some room of its own beside its bytes.
        stream.request_body(&[b'x'; 1000], false);
        let replies = stream.response_headers(OK);
        let [Reply::ResponseHeaders(set)] = replies.as_slice() else { panic!("{replies:?}") };
        assert_eq!(set.is_empty(), catalogue);
    }
}
