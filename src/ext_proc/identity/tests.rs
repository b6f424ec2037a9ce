use super::*;

fn read_as(headers: &[(&str, &[u8])], sessions: &Sessions) -> Identity {
    let headers: Vec<_> = headers
        .iter()
        .map(|(key, raw)| HeaderValue {
            key: (*key).to_owned().into(),
            raw_value: raw.to_vec().into(),
            ..HeaderValue::default()
        })
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
    let cases: [Case<'_>; 12] = [
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
        (&[("x-claude-code-agent-id", b"a")], (Generated, "", "", None)),
        (
            &[("x-claude-code-agent-id", b"a"), ("x-claude-code-session-id", b"not one"), ("session-id", b"b")],
            (Harness, "session-id", "b", None),
        ),
        (&[("x-claude-code-parent-agent-id", b"a"), ("session-id", b"b")], (Harness, "session-id", "b", None)),
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
        ("x-parent-session-id", b"d"),
        ("x-parent-session-id", b"e"),
        ("accept", b"a"),
        ("accept", b"b"),
    ]);
    assert_eq!((identity.id.as_deref(), identity.repeated), (Some("a"), 2));
    let identity = read(&[("x-session-id", b"not one"), ("x-session-id", b"b")]);
    assert_eq!((identity.source, identity.repeated, identity.invalid), (SessionSource::Generated, 1, true));
}

#[test]
fn an_agents_id_is_one_only_inside_a_session_wherever_that_stands() {
    let read = |configured: &[&str], headers| {
        let headers_of = configured.iter().map(|name| (*name).to_owned()).collect();
        let identity = read_as(headers, &Sessions { headers: headers_of, ..Sessions::default() });
        let hint = identity.hint();
        (hint.id.map(str::to_owned), hint.parent.map(str::to_owned), identity.echoed().is_some())
    };
    let told = |id: &str, parent: Option<&str>, echo| (Some(id.to_owned()), parent.map(str::to_owned), echo);
    let agent = "x-claude-code-agent-id";
    let session = "x-claude-code-session-id";
    let both: &[(&str, &[u8])] = &[(agent, b"a"), (session, b"s"), ("x-claude-code-parent-agent-id", b"b")];
    assert_eq!(read(&["x-chat", session], both), told("s", Some("s b"), false));
    assert_eq!(read(&[session], both), told("s", Some("s b"), true));
    assert_eq!(read(&[agent, session], both), told("s a", Some("s b"), false));
    assert_eq!(read(&[agent], both), told("s a", Some("s b"), false));
    assert_eq!(read(&[agent], &both[..1]), (None, None, false));
    assert_eq!(read(&[agent, "x-session-id"], &[both[0], ("x-session-id", b"i")]), told("i", None, false));
}

#[test]
fn a_tenant_is_read_from_the_configured_header_only() {
    let headers: &[(&str, &[u8])] = &[("x-session-id", b"a"), ("X-Tenant", b"acme"), ("x-tenant", b"acme")];
    assert_eq!(read(headers).hint().tenant, "");
    let identity = read_as(headers, &of_tenants());
    assert_eq!((identity.hint().tenant, told(&identity).2, identity.repeated), ("acme", "a", 0));
}

#[test]
fn every_tenant_has_sessions_of_its_own_whatever_its_name_is_written_in() {
    let long = [b'a'; 300];
    let names = [&b"acme"[..], "Müller".as_bytes(), b"M\xfcller", b"a b", b"a  b", &long, &long[..299]];
    let tenant = |name: &[u8]| {
        let identity = read_as(&[("x-session-id", b"s"), ("x-tenant", name)], &of_tenants());
        assert_eq!((told(&identity).2, identity.invalid), ("s", false), "{name:?}");
        identity.hint().tenant.to_owned()
    };
    let all: std::collections::BTreeSet<_> = names.iter().map(|name| tenant(name)).collect();
    assert!(all.len() == names.len() && !all.contains("") && all.iter().all(|name| name.len() <= 255));
}

#[test]
fn a_request_whose_tenant_cannot_be_told_has_no_session() {
    let twice: &[(&str, &[u8])] = &[("x-session-id", b"a"), ("x-tenant", b"acme"), ("X-Tenant", b"other")];
    let empty: &[(&str, &[u8])] = &[("x-session-id", b"a"), ("x-parent-session-id", b"p"), ("x-tenant", b"")];
    let late: &[(&str, &[u8])] = &[("x-tenant", b""), ("x-tenant", b"acme"), ("x-session-id", b"a")];
    for headers in [twice, empty, late] {
        let mut identity = read_as(headers, &of_tenants());
        assert!(identity.is_named(), "nothing in the body is asked for");
        identity.settle(Some(Named { id: "b", source: SessionSource::Body, field: "session_id" }), true);
        assert_eq!(told(&identity), (SessionSource::None, "", "", None), "{headers:?}");
        assert_eq!((identity.echoed(), identity.invalid, identity.repeated), (None, false, 0));
    }
}

#[test]
fn only_session_ids_count_as_invalid() {
    for header in ["x-parent-session-id", "x-claude-code-parent-agent-id", "x-dynamo-session-final"] {
        assert!(!read(&[(header, b"no id")]).invalid, "{header}");
    }
    assert!(read(&[("session-id", b"no id")]).invalid);
}

fn of_tenants() -> Sessions {
    Sessions { tenant_header: Some("x-tenant".into()), ..Sessions::default() }
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
