use super::*;

fn read_as(headers: &[(&str, &[u8])], sessions: &Sessions) -> Identity {
    let headers: Vec<_> = headers
        .iter()
        .map(|(key, raw)| HeaderValue { key: (*key).into(), raw_value: raw.to_vec(), ..HeaderValue::default() })
        .collect();
    Identity::read(&headers, sessions)
}

fn read(headers: &[(&str, &[u8])]) -> Identity {
    let mut identity = read_as(headers, &Sessions::default());
    identity.settle(None, true);
    identity
}

/// (source, field, id, parent)
fn told(identity: &Identity) -> (SessionSource, &str, &str, Option<&str>) {
    let hint = identity.hint();
    (hint.source, hint.field.unwrap_or_default(), hint.id.unwrap_or_default(), hint.parent)
}

#[test]
fn the_first_valid_header_in_order_wins() {
    let identity = read(&[("x-session-affinity", b"b"), ("X-Session-Id", b"a")]);
    assert_eq!((identity.id.as_deref(), identity.echoed()), (Some("a"), Some("a")));
    let identity = read(&[("x-session-affinity", b"b"), ("x-session-id", b"")]);
    assert_eq!((identity.id.as_deref(), identity.echoed(), identity.invalid), (Some("b"), None, true));
}

#[test]
fn headers_of_known_clients_count_in_the_order_of_the_catalogue() {
    use SessionSource::{Generated, Harness, Header};
    type Case<'a> = (&'a [(&'a str, &'a [u8])], (SessionSource, &'a str, &'a str, Option<&'a str>));
    let cases: [Case<'_>; 10] = [
        (
            &[("x-claude-code-session-id", b"s"), ("x-opencode-session", b"o")],
            (Header, "x-opencode-session", "o", None),
        ),
        (
            &[("X-Claude-Code-Session-Id", b"s"), ("X-Claude-Code-Agent-Id", b"a")],
            (Harness, "x-claude-code-agent-id", "s a", Some("s")),
        ),
        (
            &[
                ("x-claude-code-session-id", b"s"),
                ("x-claude-code-agent-id", b"a"),
                ("x-claude-code-parent-agent-id", b"b"),
            ],
            (Harness, "x-claude-code-agent-id", "s a", Some("s b")),
        ),
        (&[("x-claude-code-agent-id", b"a")], (Harness, "x-claude-code-agent-id", "a", None)),
        (&[("session-id", b"s"), ("thread-id", b"t")], (Harness, "thread-id", "t", Some("s"))),
        (&[("session_id", b"s"), ("thread_id", b"s")], (Harness, "thread_id", "s", None)),
        (
            &[("x-parent-session-id", b"p"), ("x-session-affinity", b"s"), ("x-session-id", b"s")],
            (Header, "x-session-id", "s", Some("p")),
        ),
        (
            &[("x-dynamo-session-id", b"d"), ("x-dynamo-parent-session-id", b"p")],
            (Header, "x-dynamo-session-id", "d", Some("p")),
        ),
        (&[("x-litellm-session-id", b"l"), ("session-id", b"not one")], (Harness, "x-litellm-session-id", "l", None)),
        (&[("x-parent-session-id", b"")], (Generated, "", "", None)),
    ];
    for (headers, expected) in cases {
        let identity = read(headers);
        let (source, field, id, parent) = told(&identity);
        let id = if source == Generated { "" } else { id };
        assert_eq!((source, field, id, parent), expected, "{headers:?}");
        assert_eq!(identity.echoed().is_some(), ["", "x-session-id"].contains(&field), "{headers:?}");
    }
}

#[test]
fn configured_headers_come_before_the_catalogue_which_can_be_switched_off() {
    let mut sessions =
        Sessions { headers: vec!["x-chat".into(), "x-claude-code-session-id".into()], ..Sessions::default() };
    let headers: &[(&str, &[u8])] = &[("x-session-id", b"a"), ("X-Chat", b"c"), ("x-claude-code-session-id", b"s")];
    assert_eq!(told(&read_as(headers, &sessions)), (SessionSource::Header, "x-chat", "c", None));
    assert_eq!(told(&read_as(&headers[2..], &sessions)).0, SessionSource::Header, "it was configured");
    assert_eq!(told(&read_as(&headers[..1], &sessions)), (SessionSource::Header, "x-session-id", "a", None));
    assert_eq!(read_as(&headers[..1], &sessions).echoed(), None, "x-session-id is not the session header here");
    sessions.catalogue = false;
    let all: &[(&str, &[u8])] =
        &[("x-session-id", b"a"), ("x-parent-session-id", b"p"), ("x-dynamo-session-final", b"true")];
    let identity = read_as(all, &sessions);
    assert_eq!((told(&identity).2, identity.hint().parent, identity.hint().ends), ("", None, false));
}

#[test]
fn the_first_of_a_repeated_header_counts() {
    let identity = read(&[
        ("x-session-id", b"a"),
        ("X-Session-Id", b"b"),
        ("x-claude-code-agent-id", b"c"),
        ("x-claude-code-agent-id", b"c"),
        ("accept", b"a"),
        ("accept", b"b"),
    ]);
    assert_eq!((identity.id.as_deref(), identity.repeated), (Some("a"), 2));
    let identity = read(&[("x-session-id", b"not one"), ("x-session-id", b"b")]);
    assert_eq!((identity.source, identity.repeated, identity.invalid), (SessionSource::Generated, 1, true));
}

#[test]
fn a_tenant_is_read_from_the_configured_header_only() {
    let headers: &[(&str, &[u8])] = &[("x-session-id", b"a"), ("X-Tenant", b"acme"), ("x-tenant", b"other")];
    assert_eq!(read(headers).hint().tenant, "");
    let sessions = Sessions { tenant_header: Some("x-tenant".into()), ..Sessions::default() };
    assert_eq!((read_as(headers, &sessions).hint().tenant, read_as(headers, &sessions).repeated), ("acme", 1));
    let odd = read_as(&[("x-tenant", b"a b")], &sessions);
    assert_eq!((odd.hint().tenant, odd.invalid), ("", true));
}

#[test]
fn a_session_ends_where_its_last_request_says_so() {
    for (value, ends) in [(&b"true"[..], true), (b"True", true), (b"false", false), (b"", false)] {
        assert_eq!(read(&[("x-dynamo-session-final", value)]).hint().ends, ends);
    }
}

#[test]
fn an_invalid_id_is_treated_as_none() {
    for invalid in [&b"with space"[..], b"\xff", b"tab\t", &[b'a'; 256], b""] {
        let identity = read(&[("x-session-id", invalid)]);
        assert_eq!((identity.source, identity.invalid), (SessionSource::Generated, true), "{invalid:?}");
    }
    assert_eq!(read(&[("x-session-id", &[b'a'; 255])]).source, SessionSource::Header);
}

#[test]
fn a_session_of_the_body_counts_where_no_header_names_one() {
    let named = Named { id: "b", source: SessionSource::Body, field: "session_id" };
    let mut identity = read_as(&[("x-parent-session-id", b"p")], &Sessions::default());
    identity.settle(Some(named), true);
    assert_eq!(told(&identity), (SessionSource::Body, "session_id", "b", Some("p")));
    assert_eq!(identity.echoed(), None);
    let mut identity = read_as(&[("x-session-id", b"a")], &Sessions::default());
    identity.settle(Some(named), true);
    assert_eq!(told(&identity).2, "a");
}

#[test]
fn a_generated_id_is_a_uuid_of_version_4() {
    let id = read(&[]).id.expect("generated");
    assert_eq!(Uuid::parse_str(&id).map(|uuid| uuid.get_version_num()), Ok(4));
}

#[test]
fn nothing_that_prints_an_identity_shows_the_id() {
    assert!(!format!("{:?}", read(&[("x-session-id", b"sentinel")])).contains("sentinel"));
}
