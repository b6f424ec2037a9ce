//! Each body mode, each direction on its own.

use super::*;

const NONE: i32 = 0;
const STREAMED: i32 = 1;
const BUFFERED: i32 = 2;
const BUFFERED_PARTIAL: i32 = 3;
const GRPC: i32 = 5;

fn in_modes(request: i32, response: i32) -> Stream {
    let mut stream = stream(&["r1"], |_| ());
    let told = stream.protocol_config.as_mut().expect("set");
    (told.request_body_mode, told.response_body_mode) = (request, response);
    stream
}

fn go_on() -> BodyReply {
    BodyReply::Continue(None)
}

#[test]
fn modes_in_which_no_body_can_change_the_pick_are_answered_at_the_headers() {
    for mode in [NONE, STREAMED, BUFFERED_PARTIAL] {
        assert_eq!(in_modes(mode, DUPLEX).request_headers(CHAT, false), [routed()], "mode {mode}");
    }
}

#[test]
fn outside_of_duplex_every_chunk_gets_one_answer_even_after_the_end() {
    let mut stream = in_modes(STREAMED, STREAMED);
    stream.request_headers(CHAT, false);
    for (chunk, end) in [(&b"a"[..], false), (b"", false), (b"b", true), (b"b", true)] {
        assert_eq!(stream.request_body(chunk, end), [Reply::RequestBody(go_on())]);
    }
    stream.response_headers(OK);
    for (chunk, end) in [(&b"a"[..], false), (b"b", true), (b"b", true)] {
        assert_eq!(stream.response_body(chunk, end), [Reply::ResponseBody(go_on())]);
    }
}

#[test]
fn each_direction_is_answered_in_its_own_mode() {
    for (request, response) in [(DUPLEX, STREAMED), (DUPLEX, BUFFERED), (STREAMED, DUPLEX), (BUFFERED, DUPLEX)] {
        let mut stream = in_modes(request, response);
        let mut answers = stream.request_headers(CHAT, false);
        answers.extend(stream.request_body(b"{}", true));
        let body = answers.iter().filter_map(|reply| match reply {
            Reply::RequestBody(body) => Some(matches!(body, BodyReply::Piece(..))),
            _ => None,
        });
        assert_eq!(body.collect::<Vec<_>>(), [request == DUPLEX], "{request} and {response}");
        stream.response_headers(OK);
        let expected = if response == DUPLEX { piece(b"hi", true) } else { go_on() };
        assert_eq!(stream.response_body(b"hi", true), [Reply::ResponseBody(expected)], "{request} and {response}");
        assert_eq!(stream.load(), (0.0, 0));
    }
}

#[test]
fn streams_of_grpc_messages_are_answered_as_duplex_streams() {
    let mut stream = in_modes(GRPC, GRPC);
    stream.request_headers(&[(":path", "/inference.GRPCInferenceService/ModelStreamInfer")], false);
    assert_eq!(stream.request_body(b"a", false), [Reply::RequestBody(piece(b"a", false))]);
}

#[test]
fn a_partly_buffered_body_that_was_cut_off_is_passed_on_and_picked_by_its_headers() {
    let mut stream = in_modes(BUFFERED_PARTIAL, DUPLEX);
    assert_eq!(stream.request_headers(CHAT, false), [routed()]);
    assert_eq!(stream.request_body(&[b'x'; 130_905], false), [Reply::RequestBody(go_on())]);
    stream.response_headers(OK);
    assert_eq!(stream.response_body(b"", true), [Reply::ResponseBody(piece(b"", true))]);
    assert_eq!(stream.load(), (0.0, 0));
}

#[test]
fn a_buffered_body_with_trailers_is_picked_by_its_one_message() {
    let mut stream = in_modes(BUFFERED, DUPLEX);
    stream.request_headers(CHAT, false);
    let replies = stream.request_body(b"{}", false);
    let [Reply::RequestBody(BodyReply::Continue(Some(answer)))] = replies.as_slice() else { panic!("{replies:?}") };
    assert!(answer.destination.is_some());
    assert_eq!(stream.send(Request::RequestTrailers(HttpTrailers::default())), [Reply::RequestTrailers]);
}

#[test]
fn a_message_that_holds_nothing_is_passed_over_and_its_modes_count() {
    let mut stream = in_modes(NONE, NONE);
    let nothing = ProcessingRequest { protocol_config: stream.protocol_config.take(), ..ProcessingRequest::default() };
    stream.machine.message(nothing, stream.now);
    assert_eq!(stream.replies(), []);
    assert_eq!(stream.request_headers(CHAT, false), [routed()]);
}

#[test]
fn a_stream_may_begin_with_the_response() {
    for response in [DUPLEX, STREAMED] {
        let mut stream = in_modes(DUPLEX, response);
        assert_eq!(stream.response_headers(OK), [Reply::ResponseHeaders(Vec::new())]);
        assert_eq!(stream.response_body(b"hi", true).len(), 1);
        assert_eq!(stream.machine.on_close(stream.now), Close::Complete);
    }
}

#[test]
fn the_route_is_looked_up_again_only_where_that_is_asked_for() {
    let mut stream = in_modes(NONE, DUPLEX);
    stream.machine.options.clear_route_cache = true;
    let replies = stream.request_headers(CHAT, false);
    let [Reply::RequestHeaders(answer)] = replies.as_slice() else { panic!("{replies:?}") };
    assert!(answer.clear_route_cache && answer.destination.is_some());
    let mut waiting = in_modes(BUFFERED, DUPLEX);
    waiting.machine.options.clear_route_cache = true;
    let replies = waiting.request_headers(CHAT, false);
    let [Reply::RequestHeaders(answer)] = replies.as_slice() else { panic!("{replies:?}") };
    assert!(!answer.clear_route_cache, "nothing is decided yet");
}
