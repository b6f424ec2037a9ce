use super::*;
use crate::config::{ConfigWriter, live};
use crate::model::{Endpoint, Part, Prompt, SessionHint, SessionSource, Subset};
use crate::state::{PoolWriter, PromptLength, SessionClass, pool};
use std::time::{Duration, SystemTime};

mod away;
mod choices;
mod hidden;
mod kinship;
mod prediction;
mod reports;
mod retries;
mod rollout;
mod sharing;

struct World {
    picker: Arc<Picker>,
    writer: PoolWriter,
    config: ConfigWriter,
    now: Now,
}

fn endpoint(name: &str) -> Endpoint {
    let port = 8000 + u16::from(name.as_bytes()[1]);
    Endpoint::new(name, ([127, 0, 0, 1], port).into())
}

fn world(names: &[&str]) -> World {
    let index = Arc::<PrefixIndex>::default();
    let (reader, mut writer) = pool(Arc::clone(&index));
    writer.replace(names.iter().map(|name| endpoint(name)).collect());
    let (config_reader, config) = live(PickerConfig::default());
    let now = Now { instant: Instant::now(), wall: SystemTime::now() };
    let picker = Picker::new(reader, config_reader, index, Arc::default(), "pool", now.instant);
    World { picker: Arc::new(picker), writer, config, now }
}

/// Leaks a few bytes, so that a prompt can be made in one line.
fn prompt(text: &[u8]) -> Prompt<'_> {
    Prompt { model: "m", salt: "", parts: vec![Part::Bytes(text)].leak(), unit: Unit::Text, streams: true }
}

fn request<'a>(session: Option<&'a str>, prompt: Option<Prompt<'a>>) -> Request<'a> {
    let source = if session.is_some() { SessionSource::Header } else { SessionSource::None };
    let session = SessionHint { id: session, source, ..SessionHint::default() };
    Request { id: None, session, subset: None, prompt, unread_bytes: None }
}

fn ok() -> Head {
    Head { status: 200, served: None, is_event_stream: true, origin: Origin::Endpoint, is_steered: true }
}

impl World {
    fn pick(&self, session: Option<&str>, text: Option<&[u8]>) -> Picked {
        self.picker.pick(&request(session, text.map(prompt)), self.now).expect("an endpoint is eligible")
    }

    /// A whole turn of a conversation; returns who served it and why.
    fn turn(&self, session: Option<&str>, text: Option<&[u8]>, answer_tokens: u64) -> (String, Reason) {
        let mut picked = self.pick(session, text);
        let said = (picked.decision().endpoint.to_string(), picked.decision().reason);
        picked.answered(ok(), self.now);
        picked.first_byte(self.now);
        picked.completed(Usage { prompt_tokens: None, answer_tokens }, self.now);
        said
    }

    fn load(&self, name: &str) -> (f64, u32) {
        let views = self.picker.endpoints(self.now.instant);
        let view = views.iter().find(|view| &*view.name == name).expect("in the pool");
        (view.waiting_tokens, view.in_flight)
    }

    fn configure(&self, change: impl FnOnce(&mut PickerConfig)) {
        let mut config = PickerConfig::default();
        change(&mut config);
        self.config.publish(config);
    }
}

#[test]
fn a_prompt_goes_where_its_prefix_is() {
    let world = world(&["r1", "r2", "r3", "r4"]);
    let system = vec![b'a'; 40_000];
    let (first, _) = world.turn(None, Some(&system), 0);
    for turn in 0..20 {
        let longer = [system.clone(), format!("question {turn}").repeat(30).into_bytes()].concat();
        assert_eq!(world.turn(None, Some(&longer), 0), (first.clone(), Reason::Prefix));
    }
}

#[test]
fn a_prefix_is_left_when_waiting_there_costs_more_than_computing_it_again() {
    let world = world(&["r1", "r2"]);
    let system = vec![b'a'; 4_000];
    let (first, _) = world.turn(None, Some(&system), 0);
    let free = if first == "r1" { "r2" } else { "r1" };
    let pool = Arc::clone(&world.picker.pool.load());
    let holder = pool.members().iter().find(|member| *member.endpoint.name == *first).expect("in the pool");
    let busy = Booking::new(holder, 50_000.0, 0.0, world.now.instant);
    assert_eq!(world.turn(None, Some(&system), 0), (free.to_owned(), Reason::Load));
    drop(busy);
}

#[test]
fn a_returning_session_goes_home_and_says_so() {
    let world = world(&["r1", "r2", "r3"]);
    let text = vec![b'x'; 2_000];
    let (home, _) = world.turn(Some("s"), Some(&text), 500);
    let longer = [text.clone(), vec![b'y'; 4_000]].concat();
    assert_eq!(world.turn(Some("s"), Some(&longer), 0), (home, Reason::Session));
}

#[test]
fn a_generated_id_is_not_stored_until_it_comes_back() {
    let world = world(&["r1", "r2"]);
    let text = vec![b'x'; 2_000];
    let session = SessionHint { id: Some("g"), source: SessionSource::Generated, ..SessionHint::default() };
    let generated = Request { session, ..request(None, Some(prompt(&text))) };
    let mut picked = world.picker.pick(&generated, world.now).expect("eligible");
    picked.answered(ok(), world.now);
    let first = picked.decision().endpoint.to_string();
    picked.completed(Usage::default(), world.now);
    assert!(world.picker.sessions.is_empty());
    assert_eq!(world.turn(Some("g"), Some(&text), 0).0, first);
    assert_eq!(world.picker.sessions.len(), 1);
}

#[test]
fn a_session_whose_home_is_gone_moves_alone_and_at_once() {
    let mut world = world(&["r1", "r2", "r3"]);
    let ids: Vec<String> = (0..60).map(|id| format!("s{id}")).collect();
    let text = |id: &str| id.repeat(600).into_bytes();
    let homes: Vec<_> = ids.iter().map(|id| world.turn(Some(id), Some(&text(id)), 0).0).collect();
    world.writer.replace(vec![endpoint("r1"), endpoint("r3")]);
    for (id, home) in ids.iter().zip(homes) {
        let (now, reason) = world.turn(Some(id), Some(&text(id)), 0);
        if home == "r2" {
            assert_eq!(reason, Reason::Moved);
        } else {
            assert_eq!((now, reason), (home, Reason::Session));
        }
    }
}

#[test]
fn hard_affinity_keeps_a_live_home_whatever_waits_there_and_needs_no_body() {
    let mut world = world(&["r1", "r2"]);
    world.configure(|config| config.sessions.affinity = Affinity::Hard);
    let text = vec![b'x'; 2_000];
    assert!(world.picker.needs_body(&request(Some("s"), None), world.now));
    let (home, _) = world.turn(Some("s"), Some(&text), 0);
    assert!(!world.picker.needs_body(&request(Some("s"), None), world.now));
    let big = vec![b'b'; 4_000_000];
    let _held: Vec<_> = (0..6).map(|_| world.pick(Some("s"), Some(&big))).collect();
    assert_eq!(world.turn(Some("s"), None, 0), (home.clone(), Reason::Session));
    let left = if home == "r1" { "r2" } else { "r1" };
    world.writer.replace(vec![endpoint(left)]);
    assert_eq!(world.turn(Some("s"), Some(&text), 0), (left.to_owned(), Reason::Moved));
}

#[test]
fn affinity_off_binds_nothing() {
    let world = world(&["r1", "r2"]);
    world.configure(|config| config.sessions.affinity = Affinity::Off);
    world.turn(Some("s"), Some(b"short"), 0);
    assert!(world.picker.sessions.is_empty());
}

#[test]
fn a_weight_changed_live_changes_the_next_pick() {
    let world = world(&["r1", "r2"]);
    let system = vec![b'a'; 4_000];
    let (first, _) = world.turn(None, Some(&system), 0);
    let _queue = world.pick(None, Some(&system));
    let keyed: Vec<_> = (0..40).map(|id| format!("k{id}")).collect();
    let at_first = |world: &World| {
        keyed.iter().filter(|id| *world.pick(Some(id.as_str()), Some(&system)).decision().endpoint == *first).count()
    };
    assert_eq!(at_first(&world), 40);
    world.configure(|config| config.scorers.prefix_locality.weight = 0.0);
    assert!(at_first(&world) < 40);
}

#[test]
fn a_draining_endpoint_keeps_its_sessions_and_takes_no_new_ones() {
    let mut world = world(&["r1", "r2"]);
    let ids: Vec<String> = (0..40).map(|id| format!("s{id}")).collect();
    let homes: Vec<_> = ids.iter().map(|id| world.turn(Some(id), Some(&id.repeat(600).into_bytes()), 0).0).collect();
    world.writer.replace(vec![Endpoint { draining: true, ..endpoint("r1") }, endpoint("r2")]);
    for (id, home) in ids.iter().zip(homes) {
        assert_eq!(world.turn(Some(id), Some(&id.repeat(600).into_bytes()), 0).0, home);
    }
    for new in 0..20 {
        assert_eq!(world.turn(Some(&format!("new{new}")), None, 0).0, "r2");
    }
    world.writer.replace(vec![Endpoint { draining: true, ..endpoint("r1") }]);
    assert_eq!(world.turn(None, None, 0).0, "r1", "a request is worth more than a drain");
}

#[test]
fn weight_zero_takes_an_endpoint_out_and_nothing_left_is_a_refusal() {
    let mut world = world(&["r1"]);
    world.writer.replace(vec![Endpoint { weight: 0.0, ..endpoint("r1") }]);
    assert_eq!(world.picker.pick(&request(None, None), world.now).map(|_| ()), Err(Refusal::NoEndpoints));
}

#[test]
fn a_scorer_that_panics_costs_the_score_and_not_the_request() {
    let world = world(&["r1", "r2"]);
    let config = Arc::clone(&world.picker.config());
    world.picker.profile.store(Arc::new(Profile { config, scorers: Scorers::panicking() }));
    assert_eq!(world.turn(None, Some(b"x"), 0).1, Reason::Fallback);
    assert_eq!(world.picker.metrics.panics.get(), 1);
    assert_eq!((world.load("r1"), world.load("r2")), ((0.0, 0), (0.0, 0)));
}

#[test]
fn an_endpoint_that_fails_fast_does_not_attract_the_traffic() {
    let mut world = world(&["r1", "r2", "r3"]);
    let mut sent = 0;
    for turn in 0..300 {
        world.now.instant += Duration::from_millis(10);
        let text = format!("{turn}").repeat(800).into_bytes();
        let mut picked = world.pick(None, Some(&text));
        if &*picked.decision().endpoint == "r1" {
            sent += 1;
            picked.answered(
                Head { status: 503, served: None, is_event_stream: false, origin: Origin::Gateway, is_steered: true },
                world.now,
            );
        } else {
            picked.answered(ok(), world.now);
            picked.first_byte(world.now);
        }
    }
    assert!(sent < 30, "{sent} of 300 went to an endpoint that fails at once");
}

#[test]
fn a_failing_home_is_gone_after_three_connection_failures_and_back_after_a_success() {
    let world = world(&["r1", "r2"]);
    world.configure(|config| config.sessions.affinity = Affinity::Hard);
    let text = vec![b'x'; 2_000];
    let (home, _) = world.turn(Some("s"), Some(&text), 0);
    // Envoy says 507 where it would have tried again and the body does not fit into its buffer.
    for status in [503, 507, 503] {
        let mut picked = world.pick(Some("s"), Some(&text));
        assert_eq!(*picked.decision().endpoint, *home);
        let unreachable =
            Head { status, served: None, is_event_stream: false, origin: Origin::Gateway, is_steered: true };
        picked.answered(unreachable, world.now);
    }
    let picked = world.pick(Some("s"), Some(&text));
    assert_ne!(*picked.decision().endpoint, *home);
    assert_eq!(picked.decision().reason, Reason::Moved);
}

#[test]
fn who_really_served_gets_the_booking_the_blocks_and_the_session() {
    let world = world(&["r1", "r2"]);
    let text = vec![b'x'; 8_000];
    let mut picked = world.pick(Some("s"), Some(&text));
    let picked_name = picked.decision().endpoint.to_string();
    let other = if picked_name == "r1" { "r2" } else { "r1" };
    picked.answered(Head { served: Some(endpoint(other).address), ..ok() }, world.now);
    assert_eq!((world.load(&picked_name), world.load(other).1), ((0.0, 0), 1));
    picked.completed(Usage::default(), world.now);
    assert_eq!(world.turn(Some("s"), Some(&text), 0), (other.to_owned(), Reason::Session));
}

#[test]
fn a_request_that_was_refused_or_failed_leaves_no_blocks_and_no_waiting_behind() {
    for status in [400, 404, 429, 500, 503] {
        let world = world(&["r1"]);
        let mut picked = world.pick(None, Some(&vec![b'x'; 8_000]));
        picked.answered(Head { status, is_event_stream: false, ..ok() }, world.now);
        assert_eq!(world.load("r1"), (0.0, 1), "{status}");
        assert_eq!(world.picker.endpoints(world.now.instant)[0].indexed_blocks, 0, "{status}");
    }
}

#[test]
fn an_engine_that_restarted_holds_nothing() {
    let world = world(&["r1"]);
    world.turn(None, Some(&vec![b'x'; 8_000]), 0);
    let id = world.picker.pool.load().members()[0].id;
    let said = |start: f64| crate::model::EngineReport { process_start: Some(start), ..Default::default() };
    world.picker.engine_said(id, Ok(&said(1000.0)), world.now.instant);
    assert!(world.picker.endpoints(world.now.instant)[0].indexed_blocks > 0);
    world.picker.engine_said(id, Ok(&said(2000.0)), world.now.instant);
    assert_eq!(world.picker.endpoints(world.now.instant)[0].indexed_blocks, 0);
}

#[test]
fn an_unread_body_is_never_booked_with_nothing() {
    let world = world(&["r1"]);
    let picked = world.pick(None, None);
    assert!(world.load("r1").0 >= 1.0);
    drop(picked);
    let sized = Request { unread_bytes: Some(40_000), ..request(None, None) };
    let picked = world.picker.pick(&sized, world.now).expect("eligible");
    assert_eq!(world.load("r1"), (10_000.0, 1));
    let mut detached = picked.detach(world.now);
    assert!(detached.until > detached.first_byte && detached.first_byte > world.now.instant);
    detached.booking.end_waiting();
    assert_eq!(world.load("r1"), (0.0, 1));
    drop(detached);
    assert_eq!(world.load("r1"), (0.0, 0));
}

#[test]
fn a_gateways_own_limits_are_nobodys_failure() {
    let world = world(&["r1"]);
    for (status, origin) in [(503, Origin::Overload), (413, Origin::Gateway), (408, Origin::Gateway)] {
        let mut picked = world.pick(None, Some(b"x"));
        picked.answered(Head { status, served: None, is_event_stream: false, origin, is_steered: true }, world.now);
    }
    assert_eq!(world.picker.endpoints(world.now.instant)[0].failure_share, 0.0);
}

#[test]
fn an_error_teaches_neither_speed_nor_the_length_of_an_answer() {
    let mut world = world(&["r1"]);
    let text = vec![b'x'; 80_000];
    for _ in 0..20 {
        let mut picked = world.pick(None, Some(&text));
        world.now.instant += Duration::from_millis(5);
        picked.answered(Head { status: 400, is_event_stream: false, ..ok() }, world.now);
        picked.first_byte(world.now);
        picked.completed(Usage::default(), world.now);
    }
    assert_eq!(world.picker.endpoints(world.now.instant)[0].prefill_speed, 10_000.0);
}

#[test]
fn an_answer_that_comes_late_moves_no_session_back() {
    let world = world(&["r1", "r2"]);
    let text = vec![b'x'; 2_000];
    let mut slow = world.pick(Some("s"), Some(&text));
    let first = slow.decision().endpoint.to_string();
    let other = if first == "r1" { "r2" } else { "r1" };
    let mut quick = world.pick(Some("s"), Some(&text));
    quick.answered(Head { served: Some(endpoint(other).address), ..ok() }, world.now);
    slow.answered(ok(), world.now);
    let key = world.picker.digest.load().key(SessionClass::Session, "", "m", "s");
    let home = world.picker.sessions.get(key, world.now.instant, Duration::from_secs(60)).expect("bound").home;
    assert_eq!(&*world.picker.pool.load().get(home).expect("in the pool").endpoint.name, other);
}

#[test]
fn a_length_that_a_client_only_announces_is_bounded() {
    let world = world(&["r1"]);
    let boasting = Request { unread_bytes: Some(u64::MAX), ..request(None, None) };
    let _picked = world.picker.pick(&boasting, world.now).expect("eligible");
    assert_eq!(world.load("r1").0, 500_000.0);
}

#[test]
fn a_models_name_is_remembered_only_in_part() {
    let world = world(&["r1"]);
    let name = "ä".repeat(10_000);
    let long = Request { prompt: Some(Prompt { model: &name, ..prompt(b"x") }), ..request(None, None) };
    let picked = world.picker.pick(&long, world.now).expect("eligible");
    assert!(picked.decision().model.as_ref().is_some_and(|model| model.len() <= 128));
}

#[test]
fn a_pool_by_another_name_knows_no_session_of_before_and_all_prefixes() {
    let world = world(&["r1", "r2", "r3"]);
    let text = vec![b'x'; 4_000];
    let (home, _) = world.turn(Some("s"), Some(&text), 0);
    world.picker.rename_pool("another uid");
    assert_eq!(world.turn(Some("s"), Some(&text), 0), (home.clone(), Reason::Prefix));
    assert_eq!(world.turn(Some("s"), Some(&text), 0), (home, Reason::Session));
}
