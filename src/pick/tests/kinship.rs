//! Sessions that belong to others: parents, groups, tenants; their last request, and their conversations elsewhere.

use super::*;

fn hinted<'a>(session: SessionHint<'a>, text: Option<&'a [u8]>) -> Request<'a> {
    Request { session, ..request(None, text.map(prompt)) }
}

fn named(id: &str) -> SessionHint<'_> {
    SessionHint { id: Some(id), source: SessionSource::Harness, ..SessionHint::default() }
}

impl World {
    fn turn_of(&self, request: &Request<'_>) -> (String, Reason) {
        let mut picked = self.picker.pick(request, self.now).expect("an endpoint is eligible");
        let said = (picked.decision().endpoint.to_string(), picked.decision().reason);
        picked.answered(ok(), self.now);
        picked.first_byte(self.now);
        picked.completed(Usage::default(), self.now);
        said
    }
}

#[test]
fn a_new_session_begins_where_its_parent_lives_if_all_costs_tie() {
    let world = world(&["r1", "r2", "r3", "r4"]);
    for number in 0..20 {
        let (parent, child) = (format!("parent {number}"), format!("child {number}"));
        let (home, _) = world.turn_of(&hinted(named(&parent), None));
        let hint = SessionHint { parent: Some(&parent), ..named(&child) };
        assert_eq!(world.turn_of(&hinted(hint, None)).0, home);
        let (again, reason) = world.turn_of(&hinted(hint, None));
        assert_eq!((again, reason), (home, Reason::Session), "from then on it is a session of its own");
    }
}

#[test]
fn a_parents_home_that_is_busy_does_not_draw_its_child() {
    let world = world(&["r1", "r2"]);
    let (home, _) = world.turn_of(&hinted(named("parent"), None));
    let pool = Arc::clone(&world.picker.pool.load());
    let member = pool.members().iter().find(|member| *member.endpoint.name == *home).expect("in the pool");
    let _busy = Booking::new(member, 50_000.0, 0.0, world.now.instant);
    let child = SessionHint { parent: Some("parent"), ..named("child") };
    assert_ne!(world.turn_of(&hinted(child, None)).0, home);
}

#[test]
fn a_group_breaks_ties_and_is_never_bound() {
    let world = world(&["r1", "r2", "r3", "r4"]);
    let group = SessionHint { source: SessionSource::Group, ..named("g") };
    let first = world.turn_of(&hinted(group, None)).0;
    for _ in 0..10 {
        assert_eq!(world.turn_of(&hinted(group, None)), (first.clone(), Reason::Load));
    }
    assert!(world.picker.sessions.is_empty());
}

#[test]
fn the_same_id_of_two_tenants_is_two_sessions() {
    let world = world(&["r1", "r2"]);
    for tenant in ["a", "b"] {
        world.turn_of(&hinted(SessionHint { tenant, ..named("s") }, None));
    }
    assert_eq!(world.picker.sessions.len(), 2);
}

#[test]
fn the_last_request_of_a_session_frees_its_binding() {
    let world = world(&["r1", "r2"]);
    world.turn_of(&hinted(named("s"), None));
    assert_eq!(world.picker.sessions.len(), 1);
    world.turn_of(&hinted(SessionHint { ends: true, ..named("s") }, None));
    assert!(world.picker.sessions.is_empty());
}

#[test]
fn the_last_request_of_a_session_frees_it_where_no_answer_is_ever_seen_too() {
    let world = world(&["r1", "r2"]);
    world.turn_of(&hinted(named("s"), None));
    let last = hinted(SessionHint { ends: true, ..named("s") }, None);
    let picked = world.picker.pick(&last, world.now).expect("an endpoint is eligible");
    drop(picked.detach(world.now));
    assert!(world.picker.sessions.is_empty());
}

/// The last message of a conversation that the engine keeps.
fn excerpt(text: &[u8]) -> Prompt<'_> {
    Prompt { unit: Unit::Excerpt, ..prompt(text) }
}

#[test]
fn a_conversation_that_the_engine_keeps_stays_home_for_all_of_its_context() {
    let world = world(&["r1", "r2"]);
    let request = Request { prompt: Some(excerpt(b"and then?")), ..hinted(named("s"), None) };
    let mut first = world.picker.pick(&request, world.now).expect("an endpoint is eligible");
    let home = first.decision().endpoint.clone();
    first.answered(ok(), world.now);
    // The engine knows what it holds; the request showed nine bytes.
    first.completed(Usage { prompt_tokens: Some(50_000), answer_tokens: 500 }, world.now);
    let pool = Arc::clone(&world.picker.pool.load());
    let member =
        |wanted: bool| pool.members().iter().find(|it| (it.endpoint.name == home) == wanted).expect("two endpoints");
    let busy = Booking::new(member(true), 40_000.0, 0.0, world.now.instant);
    assert_eq!(world.turn_of(&request), (home.to_string(), Reason::Session));
    drop(busy);
    let _busier = Booking::new(member(true), 90_000.0, 0.0, world.now.instant);
    let moved = world.picker.pick(&request, world.now).expect("an endpoint is eligible");
    assert_ne!(moved.decision().endpoint, home);
    assert!(world.load(&moved.decision().endpoint).0 > 50_000.0, "what the request left out is computed there as well");
}

#[test]
fn a_conversation_grows_by_what_each_request_shows_where_the_engine_does_not_tell() {
    let world = world(&["r1", "r2"]);
    let text = vec![b'x'; 4_000];
    let request = Request { prompt: Some(excerpt(&text)), ..hinted(named("s"), None) };
    for turn in 1..=3_u32 {
        world.turn_of(&request);
        let key = world.picker.digest.load().key(SessionClass::Session, "", "m", "s");
        let session = world.picker.sessions.get(key, world.now.instant, Duration::from_secs(60));
        assert_eq!(session.expect("bound").prompt, PromptLength::of_bytes(f64::from(turn) * 4_000.0));
    }
}
