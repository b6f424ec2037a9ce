//! Whose request it is, from the message to the pick.

use std::collections::HashSet;

use super::*;
use crate::config::Affinity;
use crate::model::{Decision, Reason, SessionSource};

type Pairs<'a> = &'a [(&'a str, &'a str)];

const PATH: (&str, &str) = (":path", "/v1/chat/completions");

/// A picker over eight endpoints, and the streams to it.
struct World {
    picker: Arc<Picker>,
    now: Now,
}

/// One finished request.
struct Turn {
    decision: Arc<Decision>,
    /// The headers that the response got.
    set: Vec<(Box<str>, Box<str>)>,
}

fn world(change: impl FnOnce(&mut PickerConfig)) -> World {
    let endpoint = |place: u16| Endpoint::new(&format!("r{place}"), ([127, 0, 0, 1], 8000 + place).into());
    let (picker, now) = picker((0..8).map(endpoint).collect(), change);
    World { picker, now }
}

fn hard(config: &mut PickerConfig) {
    config.sessions.affinity = Affinity::Hard;
}

/// A body that says hello to this model, with another member.
fn body(model: &str, member: &str) -> String {
    let comma = if member.is_empty() { "" } else { "," };
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]{comma}{member}}}"#)
}

impl World {
    /// A request that is picked and not answered.
    fn open(&self, headers: Pairs<'_>, body: &str) -> (Stream, Arc<Decision>) {
        let mut stream = Stream::of(&self.picker, self.now);
        stream.request_headers(&[&[PATH], headers].concat(), false);
        stream.request_body(body.as_bytes(), true);
        (stream, self.picker.decisions().recent(1).remove(0))
    }

    fn turn(&self, headers: Pairs<'_>, body: &str) -> Turn {
        let (mut stream, decision) = self.open(headers, body);
        let replies = stream.response_headers(OK);
        let [Reply::ResponseHeaders(set)] = replies.as_slice() else { panic!("{replies:?}") };
        let set = set.clone();
        stream.response_body(b"data: [DONE]", true);
        Turn { decision, set }
    }

    /// A turn of the session that a header names.
    fn turn_of(&self, id: &str) -> Turn {
        self.turn(&[("x-session-id", id)], &body("m", ""))
    }
}

impl Turn {
    fn came_home(&self) -> bool {
        self.decision.reason == Reason::Session
    }
}

#[test]
fn an_id_is_generated_only_where_neither_headers_nor_body_name_one() {
    let world = world(|_| ());
    for (headers, member, source, field) in [
        (&[][..], "", SessionSource::Generated, None),
        (&[("x-session-id", "s")], r#""session_id":"b""#, SessionSource::Header, Some("x-session-id")),
        (&[("x-grok-conv-id", "s")], r#""session_id":"b""#, SessionSource::Harness, Some("x-grok-conv-id")),
        (&[("x-grok-conv-id", "not one")], r#""session_id":"b""#, SessionSource::Body, Some("session_id")),
        (&[], r#""conversation":{"id":"c"}"#, SessionSource::Conversation, Some("conversation.id")),
        (&[], r#""prompt_cache_key":"g""#, SessionSource::Group, Some("prompt_cache_key")),
        (&[], r#""session_id":"not one""#, SessionSource::Generated, None),
    ] {
        let Turn { decision, set } = world.turn(headers, &body("m", member));
        assert_eq!((decision.session, decision.session_field.as_deref()), (source, field));
        let echoed = matches!(source, SessionSource::Generated) || field == Some("x-session-id");
        assert_eq!(set.iter().any(|(name, _)| &**name == "x-session-id"), echoed, "{source:?}");
    }
    assert_eq!(world.picker.metrics().invalid_session_ids.get(), 2);
}

#[test]
fn without_the_catalogue_only_configured_headers_name_a_session() {
    let world = world(|config| config.sessions.catalogue = false);
    for (headers, member) in
        [(&[("x-opencode-session", "s")][..], ""), (&[("x-grok-conv-id", "s")], ""), (&[], r#""session_id":"b""#)]
    {
        assert_eq!(world.turn(headers, &body("m", member)).decision.session, SessionSource::Generated);
    }
    assert_eq!(world.turn_of("s").decision.session, SessionSource::Header);
}

#[test]
fn a_session_that_the_body_names_comes_home() {
    for member in [r#""session_id":"b""#, r#""metadata":{"session_id":"b"}"#, r#""conversation":"b""#] {
        let world = world(hard);
        let first = world.turn(&[], &body("m", member));
        assert!(!first.came_home());
        let (_busy, _) = world.open(&[("x-session-id", "other")], &body("m", ""));
        let second = world.turn(&[], &body("m", member));
        assert!(second.came_home() && second.decision.endpoint == first.decision.endpoint, "{member}");
    }
}

#[test]
fn one_id_is_one_session_whichever_field_or_header_holds_it() {
    let world = world(hard);
    world.turn_of("one");
    assert!(world.turn(&[("x-litellm-session-id", "one")], &body("m", "")).came_home());
    assert!(world.turn(&[], &body("m", r#""session_id":"one""#)).came_home());
}

#[test]
fn a_group_breaks_ties_and_is_never_bound() {
    let world = world(|_| ());
    let turn = |group: usize, text: usize| {
        let turns = format!(r#"[{{"role":"user","content":"Question {text}"}}]"#);
        world.turn(&[], &format!(r#"{{"model":"m","messages":{turns},"prompt_cache_key":"g{group}"}}"#))
    };
    let mut places = HashSet::new();
    for group in 0..20 {
        let first = turn(group, 0);
        for text in 0..5 {
            let next = turn(group, text);
            assert!(next.decision.endpoint == first.decision.endpoint && !next.came_home());
        }
        places.insert(Arc::clone(&first.decision.endpoint));
    }
    assert!(places.len() > 2, "groups spread: {places:?}");
    assert!(!world.turn(&[("x-session-id", "g1")], &body("m", "")).came_home(), "a session is no group");
}

#[test]
fn the_same_id_of_two_tenants_is_two_sessions() {
    let tenant = |config: &mut PickerConfig| {
        hard(config);
        config.sessions.tenant_header = Some("x-tenant".into());
    };
    let world = world(tenant);
    let turn = |tenant: &str| world.turn(&[("x-session-id", "s"), ("x-tenant", tenant)], &body("m", ""));
    for tenant in ["a", "b", "c"] {
        assert!(!turn(tenant).came_home(), "{tenant} is new");
        assert!(turn(tenant).came_home(), "{tenant} is known");
    }
    assert!(!world.turn_of("s").came_home(), "no tenant is another one");
}

#[test]
fn a_tenant_header_means_nothing_where_none_is_configured() {
    let world = world(hard);
    world.turn(&[("x-session-id", "s"), ("x-tenant", "a")], &body("m", ""));
    assert!(world.turn(&[("x-session-id", "s"), ("x-tenant", "b")], &body("m", "")).came_home());
}

#[test]
fn a_sub_agents_first_turn_goes_to_its_parents_home_where_costs_tie() {
    let world = world(|_| ());
    let mut alone = 0;
    for nth in 0..20 {
        let session = format!("s{nth}");
        let parent = world.turn(&[("x-claude-code-session-id", &session)], &body("m", ""));
        let agent = [("x-claude-code-session-id", session.as_str()), ("x-claude-code-agent-id", "agent-1")];
        let child = world.turn(&agent, &body("m", ""));
        assert_eq!(child.decision.session_field.as_deref(), Some("x-claude-code-agent-id"));
        assert_eq!(child.decision.endpoint, parent.decision.endpoint);
        let grandchild =
            [agent[0], ("x-claude-code-agent-id", "agent-2"), ("x-claude-code-parent-agent-id", "agent-1")];
        assert_eq!(world.turn(&grandchild, &body("m", "")).decision.endpoint, parent.decision.endpoint);
        let other = world.turn(&[("x-session-id", &format!("c{nth}"))], &body("m", ""));
        alone += usize::from(other.decision.endpoint == parent.decision.endpoint);
    }
    assert!(alone < 15, "those without a parent spread: {alone}");
}

#[test]
fn agents_of_the_same_name_in_two_sessions_are_two_sessions() {
    let world = world(hard);
    let turn = |session: &str| {
        world.turn(&[("x-claude-code-session-id", session), ("x-claude-code-agent-id", "agent-1")], &body("m", ""))
    };
    assert!(!turn("a").came_home() && turn("a").came_home() && !turn("b").came_home());
}

#[test]
fn the_last_request_of_a_session_frees_its_binding() {
    let world = world(hard);
    world.turn_of("s");
    assert!(world.turn_of("s").came_home());
    let last = world.turn(&[("x-session-id", "s"), ("x-dynamo-session-final", "true")], &body("m", ""));
    assert!(last.came_home());
    assert!(!world.turn_of("s").came_home());
}

#[test]
fn two_models_of_one_id_have_homes_of_their_own_in_soft_mode() {
    let world = world(|_| ());
    let turn = |id: usize, model: &str| world.turn(&[("x-session-id", &format!("s{id}"))], &body(model, ""));
    let mut apart = 0;
    for id in 0..20 {
        let first = ["a", "b"].map(|model| turn(id, model));
        assert!(first.iter().all(|turn| !turn.came_home()), "each model is new");
        let second = ["a", "b"].map(|model| turn(id, model));
        assert!(second.iter().all(Turn::came_home));
        let homes = |turns: &[Turn; 2]| turns.each_ref().map(|turn| Arc::clone(&turn.decision.endpoint));
        assert_eq!(homes(&first), homes(&second));
        apart += usize::from(homes(&first)[0] != homes(&first)[1]);
    }
    assert!(apart > 5, "homes differ: {apart}");
}
