//! What holds for every input, whatever its bytes: shared by the fuzz targets and by `tests/fuzz.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use homing::config;
use homing::ext_proc::{BodyReply, Budget, Machine, Options, Reply};
use homing::model::{Endpoint, Now};
use homing::pick::{Picker, Replica, Told};
use homing::proto::envoy::processing_request::Request;
use homing::proto::envoy::value::Kind;
use homing::proto::envoy::{
    Field, HeaderMap, HeaderValue, HttpBody, HttpHeaders, HttpTrailers, Metadata, Namespace, ProcessingRequest,
    ProtocolConfiguration, Struct, Value,
};
use homing::sources::{endpoints_file, engine_metrics};
use homing::state::{self, Outbox, PoolReader, PrefixIndex, SILENCE, pool};

/// A configuration that is accepted reads back as itself; one that is refused says at least one reason.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::parse(text) {
        Ok(parsed) => {
            let written = serde_json::to_string(&parsed.config).expect("plain data");
            let again = config::parse(&written).expect("what was accepted is accepted again");
            assert_eq!(again.config, parsed.config);
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
}

/// Endpoints that are accepted have names and addresses of their own; a refusal says at least one reason.
pub fn endpoints(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match endpoints_file::parse(text) {
        Ok(endpoints) => {
            for (index, one) in endpoints.iter().enumerate() {
                assert!(one.address.port() > 0 && one.weight.is_finite());
                assert!(endpoints[..index].iter().all(|other| other.name != one.name && other.address != one.address));
            }
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
}

/// A page says the same however it is cut, and no share is above 1.
pub fn engine_metrics(data: &[u8]) {
    let Some((cut, page)) = data.split_first() else { return };
    let mut pieces = engine_metrics::Page::default();
    page.chunks(usize::from(*cut).max(1)).for_each(|piece| pieces.push(piece));
    let report = pieces.finish();
    assert_eq!(report, engine_metrics::parse(page));
    assert!(report.kv_usage.is_none_or(|share| (0.0..=1.0).contains(&share)));
    assert!(report.adapters.is_none_or(|adapters| adapters.slots > 0 && adapters.in_use.len() <= 2048));
}

/// What another picker tells is an error or is taken in: never a panic, it comes back as it was when it is told again,
/// the second time it changes nothing, and what it says of load is forgotten when nothing follows.
pub fn update(data: &[u8]) {
    let now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    let (picker, pool) = picker(3);
    let outbox = Arc::new(Outbox::new(1));
    let mut replica = Replica::new(Arc::clone(&outbox), "h", now);
    let picker = Arc::into_inner(picker).expect("nobody else has it").with_outbox(outbox);
    if picker.hear(&mut replica, data, Told::Now, now).is_err() {
        return;
    }
    let update = state::decode(data).expect("it was heard");
    assert_eq!(state::decode(&state::encode(&update)), Ok(update));
    let load = || pool.load().members().iter().map(|it| (it.load.in_flight(), it.lane.len())).collect::<Vec<_>>();
    let before = load();
    assert!(picker.hear(&mut replica, data, Told::Now, now).is_ok());
    assert_eq!(load(), before);
    let later = Now { instant: now.instant + SILENCE, ..now };
    picker.forget_silent(&mut replica, later);
    assert!(picker.tell(&mut replica, later).is_some());
    assert!(load().iter().all(|(in_flight, _)| *in_flight == 0));
}

/// How many sessions a picker knows after it was told this.
pub fn sessions_after(data: &[u8]) -> i64 {
    let now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    let (picker, _) = picker(3);
    let mut replica = Replica::new(Arc::new(Outbox::new(1)), "h", now);
    picker.hear(&mut replica, data, Told::Now, now).expect("an update");
    picker.refresh_gauges(now.instant);
    picker.metrics().session_entries.get()
}

/// A stream survives messages in any order, answers each direction in order, passes on no other bytes than came,
/// and leaves no booking behind. Each byte of `data` is a message, a passing of time, or the end.
pub fn stream(data: &[u8]) {
    exchange(data, false);
}

/// A stream that the gateway only shows gets no reply, whatever comes, and leaves no booking behind.
pub fn shown_stream(data: &[u8]) {
    exchange(data, true);
}

fn exchange(data: &[u8], observability_mode: bool) {
    let [setting, steps @ ..] = data else { return };
    let (picker, pool) = picker(usize::from(setting >> 6));
    let mut machine = Machine::new(
        Arc::clone(&picker),
        Arc::new(Budget::default()),
        Options { explain_header: true, conformance_test_headers: steps.len() % 2 == 1, ..Options::default() },
    );
    let mut now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    let protocol_config = (setting & 1 == 0).then(|| ProtocolConfiguration {
        request_body_mode: i32::from(setting >> 1 & 7),
        response_body_mode: i32::from(setting >> 4 & 3) * 2,
    });
    let duplex = |mode: fn(&ProtocolConfiguration) -> i32| Order {
        duplex: protocol_config.as_ref().is_none_or(|told| mode(told) >= 4),
        ..Order::default()
    };
    let mut to_endpoint = duplex(|told| told.request_body_mode);
    let mut to_client = duplex(|told| told.response_body_mode);
    for &step in steps {
        let request = match step % 10 {
            0 => {
                to_endpoint.announce(step & 0x80 != 0);
                Some(Request::RequestHeaders(request_headers(step)))
            }
            1 | 2 => Some(Request::RequestBody(body(step, &mut to_endpoint))),
            3 => {
                to_endpoint.met = true;
                Some(Request::RequestTrailers(HttpTrailers::default()))
            }
            4 => {
                to_client.announce(step & 0x80 != 0);
                Some(Request::ResponseHeaders(response_headers(step)))
            }
            5 | 6 => Some(Request::ResponseBody(body(step, &mut to_client))),
            7 => {
                to_client.met = true;
                Some(Request::ResponseTrailers(HttpTrailers::default()))
            }
            8 => None,
            _ if step < 128 => {
                now.instant += Duration::from_secs(u64::from(step));
                machine.on_deadline(now);
                continue;
            }
            _ => {
                machine.on_close(now);
                break;
            }
        };
        let metadata_context = (step & 0x60 == 0x60).then(|| subset(step));
        let message = ProcessingRequest {
            request,
            protocol_config,
            metadata_context,
            observability_mode,
            ..ProcessingRequest::default()
        };
        machine.message(message, now);
        while let Some(reply) = machine.next_reply() {
            assert!(!observability_mode, "nobody waits for {reply:?}");
            hold_order(reply, &mut to_endpoint, &mut to_client);
        }
        assert!(booked(&pool) <= 1);
    }
    if !observability_mode {
        to_endpoint.settle();
        to_client.settle();
    }
    drop(machine.take_detached());
    drop(machine);
    assert_eq!(booked(&pool), 0, "a booking leaked");
}

/// What came and what was answered in one direction.
#[derive(Debug, Default)]
struct Order {
    came: Vec<u8>,
    came_to_its_end: bool,
    announced: bool,
    met: bool,
    duplex: bool,
    passed: Vec<u8>,
    headers: bool,
    body: bool,
    ended: bool,
    trailers: bool,
    refused: bool,
}

impl Order {
    /// Headers that announce a body came, before anything else of it.
    fn announce(&mut self, end: bool) {
        self.announced |= !end && self.came.is_empty() && !self.came_to_its_end && !self.met;
        self.met = true;
    }

    /// In duplex mode, a body that was announced and came to its end was passed on to its end.
    fn settle(&self) {
        if self.duplex && self.announced && self.came_to_its_end && !self.refused {
            assert!(self.ended && self.passed.len() == self.came.len(), "an end without its answer: {self:?}");
        }
    }

    fn headers(&mut self) {
        assert!(!(self.refused || self.headers || self.body || self.ended || self.trailers), "headers late: {self:?}");
        self.headers = true;
    }

    fn body(&mut self, body: BodyReply) {
        assert!(!(self.refused || self.ended || self.trailers), "body late: {self:?}");
        self.body = true;
        if let BodyReply::Piece(bytes, end) = body {
            assert!(bytes.len() <= 62_000);
            self.passed.extend_from_slice(&bytes);
            self.ended = end;
            assert!(self.came.starts_with(&self.passed), "other bytes than came");
            assert!(!end || self.passed.len() == self.came.len(), "an end before all bytes");
        }
    }

    fn trailers(&mut self) {
        assert!(!(self.refused || self.trailers), "trailers twice: {self:?}");
        self.trailers = true;
    }
}

fn hold_order(reply: Reply, to_endpoint: &mut Order, to_client: &mut Order) {
    match reply {
        Reply::RequestHeaders(_) => to_endpoint.headers(),
        Reply::RequestBody(body) => to_endpoint.body(body),
        Reply::RequestTrailers => to_endpoint.trailers(),
        Reply::ResponseHeaders(_) => to_client.headers(),
        Reply::ResponseBody(body) => to_client.body(body),
        Reply::ResponseTrailers => to_client.trailers(),
        Reply::Refuse(refusal) => {
            assert!(refusal.status >= 400);
            (to_endpoint.refused, to_client.refused) = (true, true);
        }
    }
}

fn picker(endpoints: usize) -> (Arc<Picker>, PoolReader) {
    let index = Arc::<PrefixIndex>::default();
    let (pool, mut writer) = pool(Arc::clone(&index));
    let address = |place: usize| ([127, 0, 0, 1], 8000 + u16::try_from(place).expect("few")).into();
    writer.replace((0..endpoints).map(|place| Endpoint::new(&format!("r{place}"), address(place))).collect());
    let mut config = config::PickerConfig::default();
    config.limits.request_body = config::ByteSize(100_000);
    config.limits.buffered_bodies = config::ByteSize(90_000);
    let (reader, _) = config::live(config);
    let picker = Picker::new(pool.clone(), reader, index, Arc::default(), "fuzz", Instant::now());
    (Arc::new(picker), pool)
}

fn booked(pool: &PoolReader) -> u32 {
    pool.load().members().iter().map(|member| member.load.booked_requests()).sum()
}

/// A subset hint: of all, of one, of nobody, or of an odd type.
fn subset(step: u8) -> Metadata {
    let kind = match step % 4 {
        0 => Kind::StringValue("127.0.0.1".into()),
        1 => Kind::StringValue("127.0.0.1:8000".into()),
        2 => Kind::StringValue("".into()),
        _ => Kind::BoolValue(true),
    };
    let key = "x-gateway-destination-endpoint-subset".into();
    let told = Struct { fields: vec![Field { key, value: Some(Value { kind: Some(kind) }) }] };
    Metadata { filter_metadata: vec![Namespace { key: "envoy.lb.subset_hint".into(), value: Some(told) }] }
}

fn headers(pairs: &[(&str, &str)], end: bool) -> HttpHeaders {
    let header = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned().into(),
        raw_value: (*value).to_owned().into(),
        ..HeaderValue::default()
    };
    HttpHeaders { headers: Some(HeaderMap { headers: pairs.iter().map(header).collect() }), end_of_stream: end }
}

/// What clients of every kind send beside the path.
const CLIENTS: [&[(&str, &str)]; 6] = [
    &[("x-session-id", "s")],
    &[],
    &[("x-claude-code-session-id", "c"), ("x-claude-code-agent-id", "agent-1")],
    &[("session-id", "t"), ("thread-id", "t"), ("x-parent-session-id", "p")],
    &[("x-dynamo-session-id", "d"), ("x-dynamo-session-final", "true"), ("x-session-id", "\u{7f}")],
    &[("x-session-id", "a"), ("x-session-id", "b"), ("content-type", "application/grpc")],
];

const PATHS: [&str; 7] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/inference/v1/generate",
    "/generate",
    "/v1/audio",
];

/// Whole bodies; a chunk may be any piece of them.
const BODIES: [&str; 6] = [
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"session_id":"body","stream":true}"#,
    r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}]}"#,
    r#"{"model":"m","prompt":[[1,2,3],[4]],"cache_salt":"salt"}"#,
    r#"{"model":"m","input":[{"role":"user","content":"hi"}],"previous_response_id":"r","conversation":{"id":"c"}}"#,
    r#"{"model":"m","system":[{"type":"text","text":"s"}],"messages":[],"metadata":{"user_id":"{\"session_id\":\"u\"}"}}"#,
    r#"{"text":"hi","lora_path":"a","image_data":["x"],"session_params":{"id":"s"}}"#,
];

/// Lists of endpoints as the conformance suite writes them, and others.
const SELECTIONS: [&str; 4] = ["127.0.0.1", "127.0.0.1:8000, 10.0.0.1", "", "nobody"];

fn request_headers(step: u8) -> HttpHeaders {
    let step_of = |kinds: usize| usize::from(step) % kinds;
    let mut pairs = vec![(":path", PATHS[step_of(PATHS.len())])];
    pairs.extend(CLIENTS[step_of(CLIENTS.len())]);
    pairs.extend((step & 0x20 != 0).then(|| ("test-epp-endpoint-selection", SELECTIONS[step_of(SELECTIONS.len())])));
    headers(&pairs, step & 0x80 != 0)
}

fn response_headers(step: u8) -> HttpHeaders {
    let status = if step & 0x40 == 0 { "200" } else { "503" };
    headers(&[(":status", status), ("content-type", "text/event-stream")], step & 0x80 != 0)
}

fn body(step: u8, order: &mut Order) -> HttpBody {
    let text = BODIES[usize::from(step) % BODIES.len()].as_bytes();
    let end = step & 0x80 != 0;
    let body = match step >> 4 & 3 {
        0 => Vec::new(),
        1 => text.to_vec(),
        2 => text[..text.len() / 2].to_vec(),
        _ => vec![step; 70_000],
    };
    order.met = true;
    if !order.came_to_its_end && !order.trailers {
        order.came.extend_from_slice(&body);
        order.came_to_its_end = end;
    }
    HttpBody { body: body.into(), end_of_stream: end }
}
