use super::super::answers::{BodyReply, RequestAnswer};
use super::*;
use crate::config::{ByteSize, PickerConfig, live};
use crate::model::Endpoint;
use crate::proto::envoy::processing_request::Request;
use crate::proto::envoy::value::Kind;
use crate::proto::envoy::{
    Field, HeaderMap, HeaderValue, HttpBody, HttpHeaders, HttpTrailers, Metadata, Namespace, ProtocolConfiguration,
    Struct, Value,
};
use crate::state::{PrefixIndex, pool};
use std::time::{Duration, SystemTime};

mod conformance;
mod modes;
mod observing;
mod refusals;
mod sessions;
mod subsets;

const DUPLEX: i32 = 4;
const CHAT: &[(&str, &str)] = &[(":path", "/v1/chat/completions"), ("x-session-id", "s")];
const OK: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/event-stream")];

struct Stream {
    machine: Machine,
    picker: Arc<Picker>,
    now: Now,
    protocol_config: Option<ProtocolConfiguration>,
    metadata: Option<Metadata>,
    observe: bool,
}

fn picker(endpoints: Vec<Endpoint>, change: impl FnOnce(&mut PickerConfig)) -> (Arc<Picker>, Now) {
    let index = Arc::<PrefixIndex>::default();
    let (reader, mut writer) = pool(Arc::clone(&index));
    writer.replace(endpoints);
    let mut config = PickerConfig::default();
    change(&mut config);
    let now = Now { instant: Instant::now(), wall: SystemTime::now() };
    (Arc::new(Picker::new(reader, live(config).0, index, Arc::default(), "pool", now.instant)), now)
}

/// A stream with endpoints of these names at 127.0.0.1:8000.
fn stream(endpoints: &[&str], change: impl FnOnce(&mut PickerConfig)) -> Stream {
    let endpoint = |name: &&str| Endpoint::new(name, ([127, 0, 0, 1], 8000).into());
    let (picker, now) = picker(endpoints.iter().map(endpoint).collect(), change);
    Stream::of(&picker, now)
}

impl Stream {
    /// A new stream, in full duplex both ways.
    fn of(picker: &Arc<Picker>, now: Now) -> Self {
        let machine = Machine::new(Arc::clone(picker), Arc::default(), Options::default());
        let protocol_config = Some(ProtocolConfiguration { request_body_mode: DUPLEX, response_body_mode: DUPLEX });
        Self { machine, picker: Arc::clone(picker), now, protocol_config, metadata: None, observe: false }
    }

    fn send(&mut self, request: Request) -> Vec<Reply> {
        let message = ProcessingRequest {
            request: Some(request),
            protocol_config: self.protocol_config,
            metadata_context: self.metadata.clone(),
            observability_mode: self.observe,
            ..ProcessingRequest::default()
        };
        self.machine.message(message, self.now);
        self.replies()
    }

    fn replies(&mut self) -> Vec<Reply> {
        std::iter::from_fn(|| self.machine.next_reply()).collect()
    }

    fn request_headers(&mut self, pairs: &[(&str, &str)], end: bool) -> Vec<Reply> {
        self.send(Request::RequestHeaders(headers(pairs, end)))
    }

    fn request_body(&mut self, body: &[u8], end: bool) -> Vec<Reply> {
        self.send(Request::RequestBody(chunk(body, end)))
    }

    fn response_headers(&mut self, pairs: &[(&str, &str)]) -> Vec<Reply> {
        self.send(Request::ResponseHeaders(headers(pairs, false)))
    }

    fn response_body(&mut self, body: &[u8], end: bool) -> Vec<Reply> {
        self.send(Request::ResponseBody(chunk(body, end)))
    }

    fn load(&self) -> (f64, u32) {
        let view = &self.picker.endpoints(self.now.instant)[0];
        (view.waiting_tokens, view.in_flight)
    }
}

fn headers(pairs: &[(&str, &str)], end: bool) -> HttpHeaders {
    let header = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned().into(),
        raw_value: (*value).to_owned().into(),
        ..HeaderValue::default()
    };
    HttpHeaders { headers: Some(HeaderMap { headers: pairs.iter().map(header).collect() }), end_of_stream: end }
}

fn chunk(body: &[u8], end: bool) -> HttpBody {
    HttpBody { body: body.to_vec().into(), end_of_stream: end }
}

/// What a namespace says, as the gateway tells it in metadata and attributes.
fn said(namespace: &'static str, key: &'static str, text: &str) -> Namespace {
    let value = Value { kind: Some(Kind::StringValue(text.to_owned().into())) };
    let fields = vec![Field { key: key.into(), value: Some(value) }];
    Namespace { key: namespace.into(), value: Some(Struct { fields }) }
}

fn routed() -> Reply {
    Reply::RequestHeaders(RequestAnswer { destination: Some("127.0.0.1:8000".into()), ..RequestAnswer::default() })
}

fn piece(body: &[u8], end: bool) -> BodyReply {
    BodyReply::Piece(body.to_vec().into(), end)
}

#[test]
fn a_body_is_held_until_its_end_and_then_passed_whole() {
    let mut stream = stream(&["r1"], |_| ());
    assert_eq!(stream.request_headers(CHAT, false), []);
    assert_eq!(stream.request_body(b"{\"messages\":", false), []);
    assert_eq!(stream.request_body(b"[]}", false), []);
    let expected =
        [routed(), Reply::RequestBody(piece(b"{\"messages\":", false)), Reply::RequestBody(piece(b"[]}", true))];
    assert_eq!(stream.request_body(b"", true), expected);
    assert_eq!(stream.request_body(b"[]}", true), [], "a last chunk that comes twice is dropped");
}

#[test]
fn a_large_chunk_leaves_in_pieces_of_which_only_the_last_ends() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, false);
    let sizes: Vec<_> = stream
        .request_body(&vec![b'x'; 150_000], true)
        .into_iter()
        .filter_map(|reply| match reply {
            Reply::RequestBody(BodyReply::Piece(bytes, end)) => Some((bytes.len(), end)),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [(62_000, false), (62_000, false), (26_000, true)]);
}

#[test]
fn trailers_end_a_body_and_are_always_answered() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, false);
    stream.request_body(b"hello", false);
    let expected = [routed(), Reply::RequestBody(piece(b"hello", false)), Reply::RequestTrailers];
    assert_eq!(stream.send(Request::RequestTrailers(HttpTrailers::default())), expected);
}

#[test]
fn what_needs_no_body_is_answered_at_the_headers() {
    for headers in [&[(":path", "/v1/models")][..], &[(":path", "/v1/completions"), ("content-encoding", "gzip")]] {
        let mut stream = stream(&["r1"], |_| ());
        assert_eq!(stream.request_headers(headers, false), [routed()]);
        assert_eq!(stream.request_body(b"abc", false), [Reply::RequestBody(piece(b"abc", false))]);
        assert_eq!(stream.request_body(b"", true), [Reply::RequestBody(piece(b"", true))]);
    }
    assert_eq!(stream(&["r1"], |_| ()).request_headers(CHAT, true), [routed()]);
}

#[test]
fn a_body_over_its_limit_is_refused_with_the_session_returned() {
    let mut stream = stream(&["r1"], |config| config.limits.request_body = ByteSize(1024));
    stream.request_headers(CHAT, false);
    stream.request_body(&[b'x'; 1000], false);
    let replies = stream.request_body(&[b'x'; 100], false);
    let [Reply::Refuse(refusal)] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((refusal.status, refusal.reason), (413, "body-too-large"));
    assert_eq!(refusal.session, Some(("x-session-id".into(), "s".into())));
    assert_eq!(stream.request_body(b"more", true), [], "nothing follows a refusal");
}

#[test]
fn over_the_global_budget_a_body_passes_through_unread() {
    let mut stream = stream(&["r1"], |config| config.limits.buffered_bodies = ByteSize(1150));
    stream.request_headers(CHAT, false);
    assert_eq!(stream.request_body(&[b'x'; 1000], false), []);
    let replies = stream.request_body(&[b'y'; 100], true);
    let expected =
        [routed(), Reply::RequestBody(piece(&[b'x'; 1000], false)), Reply::RequestBody(piece(&[b'y'; 100], true))];
    assert_eq!(replies, expected);
}

#[test]
fn a_late_body_is_picked_without_its_rest() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, false);
    stream.request_body(b"begun", false);
    stream.now.instant += Duration::from_secs(10);
    assert_eq!(stream.machine.deadline(), Some(stream.now.instant));
    stream.machine.on_deadline(stream.now);
    assert_eq!(stream.replies(), [routed(), Reply::RequestBody(piece(b"begun", false))]);
    assert_eq!(stream.request_body(b"rest", true), [Reply::RequestBody(piece(b"rest", true))]);
}

#[test]
fn a_response_passes_untouched_and_its_first_byte_ends_the_waiting() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, false);
    stream.request_body(br#"{"messages":[{"role":"user","content":"hi there"}],"stream":true}"#, true);
    let (waiting, in_flight) = stream.load();
    assert!(waiting > 0.0 && in_flight == 1);
    assert_eq!(stream.response_headers(OK), [Reply::ResponseHeaders(vec![("x-session-id".into(), "s".into())])]);
    assert_eq!(stream.load(), (waiting, 1));
    assert_eq!(stream.response_body(b"data: 1", false), [Reply::ResponseBody(piece(b"data: 1", false))]);
    assert_eq!(stream.load(), (0.0, 1));
    assert_eq!(stream.response_body(b"", true), [Reply::ResponseBody(piece(b"", true))]);
    assert_eq!(stream.load(), (0.0, 0));
    assert_eq!(stream.machine.on_close(stream.now), Close::Complete);
}

#[test]
fn where_no_first_byte_tells_the_waiting_ends_by_prediction() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, false);
    stream.request_body(br#"{"messages":[{"role":"user","content":"hi there"}]}"#, true);
    let deadline = stream.machine.deadline().expect("a prediction");
    stream.now.instant = deadline;
    stream.machine.on_deadline(stream.now);
    assert_eq!((stream.load(), stream.machine.deadline()), ((0.0, 1), None));
}

#[test]
fn nothing_eligible_is_a_503_that_returns_the_session() {
    let mut stream = stream(&[], |_| ());
    stream.request_headers(CHAT, false);
    let replies = stream.request_body(b"{}", true);
    let [Reply::Refuse(refusal)] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((refusal.status, refusal.reason), (503, "rejected-no-endpoints"));
    assert_eq!(refusal.session, Some(("x-session-id".into(), "s".into())));
}

#[test]
fn a_close_before_the_response_has_ended_is_an_abort_that_releases_at_once() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, true);
    assert_eq!(stream.load().1, 1);
    assert_eq!(stream.machine.on_close(stream.now), Close::Incomplete);
    assert_eq!(stream.load(), (0.0, 0));
    assert!(stream.machine.take_detached().is_none());
}

#[test]
fn a_gateway_that_tells_no_modes_may_half_close_and_its_booking_goes_on() {
    let mut stream = stream(&["r1"], |_| ());
    stream.protocol_config = None;
    stream.request_headers(CHAT, false);
    stream.request_body(b"{}", true);
    assert_eq!(stream.machine.on_close(stream.now), Close::Complete);
    let detached = stream.machine.take_detached().expect("a booking");
    assert_eq!(stream.load().1, 1);
    drop(detached);
    assert_eq!(stream.load().1, 0);
}

#[test]
fn a_response_whose_body_is_not_shown_detaches_its_booking() {
    let mut stream = stream(&["r1"], |_| ());
    stream.protocol_config.as_mut().expect("set").response_body_mode = 0;
    stream.request_headers(CHAT, true);
    stream.response_headers(OK);
    assert!(stream.machine.take_detached().is_some());
    assert_eq!(stream.machine.on_close(stream.now), Close::Complete);
}

#[test]
fn a_response_of_which_nothing_is_shown_detaches_its_booking_once_the_request_is_answered() {
    // Whether the body has passed, and whether the response may still go on when Envoy ends the stream then.
    for (request_mode, passed, goes_on) in
        [(0, false, true), (DUPLEX, true, true), (DUPLEX, false, false), (1, true, false), (2, true, false)]
    {
        for reset in [false, true] {
            let mut stream = stream(&["r1"], |_| ());
            let told = stream.protocol_config.as_mut().expect("set");
            (told.request_body_mode, told.response_body_mode) = (request_mode, 0);
            stream.request_headers(CHAT, false);
            if passed {
                stream.request_body(b"{}", true);
            }
            if reset {
                let now = stream.now;
                stream.machine.on_reset(|| now);
            } else {
                let expected = if goes_on { Close::Complete } else { Close::Incomplete };
                assert_eq!(stream.machine.on_close(stream.now), expected, "mode {request_mode}");
            }
            let detached = stream.machine.take_detached();
            assert_eq!(detached.is_some(), goes_on, "mode {request_mode}");
            assert_eq!(detached.map_or(0, |_held| stream.load().1), u32::from(goes_on));
        }
    }
}

#[test]
fn a_buffered_gateway_gets_its_destination_with_the_body() {
    let mut stream = stream(&["r1"], |_| ());
    stream.protocol_config.as_mut().expect("set").request_body_mode = 2;
    let answer = RequestAnswer { strip: vec!["x-gateway-destination-endpoint"], ..RequestAnswer::default() };
    assert_eq!(stream.request_headers(CHAT, false), [Reply::RequestHeaders(answer)]);
    let replies = stream.request_body(b"{}", true);
    let [Reply::RequestBody(BodyReply::Continue(Some(answer)))] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!(answer.destination, Some("127.0.0.1:8000".into()));
}

#[test]
fn a_local_reply_before_any_pick_still_returns_the_session() {
    let mut stream = stream(&["r1"], |_| ());
    stream.request_headers(CHAT, false);
    let replies = stream.response_headers(&[(":status", "404")]);
    assert_eq!(replies, [Reply::ResponseHeaders(vec![("x-session-id".into(), "s".into())])]);
    assert_eq!(stream.response_body(b"", true), [Reply::ResponseBody(piece(b"", true))]);
}

#[test]
fn gateways_that_skip_headers_lose_no_body() {
    let mut stream = stream(&["r1"], |_| ());
    assert_eq!(stream.request_body(b"a", true), [Reply::RequestBody(piece(b"a", true))]);
    assert_eq!(stream.response_body(b"b", true), [Reply::ResponseBody(piece(b"b", true))]);
}

#[test]
fn a_response_that_came_first_leaves_nothing_to_pick_and_nothing_to_refuse() {
    let mut stream = stream(&[], |config| config.limits.request_body = ByteSize(1024));
    stream.request_headers(CHAT, false);
    stream.response_headers(&[(":status", "413")]);
    stream.response_body(b"too large", true);
    let replies = stream.request_body(&[b'x'; 2000], true);
    let expected = [Reply::RequestHeaders(RequestAnswer::default()), Reply::RequestBody(piece(&[b'x'; 2000], true))];
    assert_eq!(replies, expected);
}
