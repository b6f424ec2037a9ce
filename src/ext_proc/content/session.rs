//! The session that a body names.

use std::borrow::Cow;

use crate::model::SessionSource;

use super::super::header::{LONGEST_ID, visible};
use super::body::Body;
use super::json;

/// A field that may name a session.
pub struct Field {
    /// Its path, as in `docs/sessions.md`.
    pub name: &'static str,
    /// What it stands for.
    pub source: SessionSource,
    /// The member of the body.
    top: for<'a> fn(&Body<'a>) -> Option<&'a str>,
    /// The members inside that one.
    within: &'static [&'static str],
    /// The id in its JSON text.
    id: for<'a> fn(&'a str) -> Option<Cow<'a, str>>,
}

/// What the fields held.
#[derive(Default)]
pub struct Search<'a> {
    /// The first valid id.
    pub found: Option<Found<'a>>,
    /// Whether a field before it held text that is no id.
    pub invalid: bool,
}

/// A session's id and where it stood.
pub struct Found<'a> {
    /// The id.
    pub id: Cow<'a, str>,
    /// The field.
    pub field: &'static Field,
}

const BODY: SessionSource = SessionSource::Body;

/// All fields, the first that holds a valid id counts.
pub static FIELDS: [Field; 13] = [
    field("session_id", BODY, |body| body.session_id, &[]),
    field("metadata.session_id", BODY, |body| body.metadata, &["session_id"]),
    Field { id: claude_code, ..field("metadata.user_id", BODY, |body| body.metadata, &["user_id"]) },
    field("litellm_session_id", BODY, |body| body.litellm_session_id, &[]),
    field("vllm_xargs.session_id", BODY, |body| body.vllm_xargs, &["session_id"]),
    field("nvext.session_control.session_id", BODY, |body| body.nvext, &["session_control", "session_id"]),
    // One run of an agent has one session and a trajectory for each sub-agent.
    field("nvext.agent_context.trajectory_id", BODY, |body| body.nvext, &["agent_context", "trajectory_id"]),
    field("nvext.agent_context.session_id", BODY, |body| body.nvext, &["agent_context", "session_id"]),
    field("session_params.session_id", BODY, |body| body.session_params, &["session_id"]),
    field("session_params.id", BODY, |body| body.session_params, &["id"]),
    field("conversation", SessionSource::Conversation, |body| body.conversation, &[]),
    field("conversation.id", SessionSource::Conversation, |body| body.conversation, &["id"]),
    field("prompt_cache_key", SessionSource::Group, |body| body.prompt_cache_key, &[]),
];

const fn field(
    name: &'static str,
    source: SessionSource,
    top: for<'a> fn(&Body<'a>) -> Option<&'a str>,
    within: &'static [&'static str],
) -> Field {
    Field { name, source, top, within, id: json::text }
}

/// Looks for a session; unescapes no more than an id is long.
pub fn find<'a>(body: &Body<'a>) -> Search<'a> {
    let mut invalid = false;
    for field in &FIELDS {
        let inside = |json: &'a str, name: &&str| json::members(json, &[*name])?[0];
        let Some(json) = (field.top)(body).and_then(|json| field.within.iter().try_fold(json, inside)) else {
            continue;
        };
        if json.len() > LONGEST_JSON {
            invalid |= json.starts_with('"');
            continue;
        }
        let Some(id) = (field.id)(json) else { continue };
        if visible(id.as_bytes(), LONGEST_ID).is_some() {
            return Search { found: Some(Found { id, field }), invalid };
        }
        invalid = true;
    }
    Search { found: None, invalid }
}

/// The longest JSON text that is looked at: an id with each character escaped. Claude Code's is 200 bytes.
const LONGEST_JSON: usize = 6 * LONGEST_ID + 2;

/// The session in the user id that Claude Code sends: JSON text, before that words with underscores between them.
fn claude_code(json: &str) -> Option<Cow<'_, str>> {
    let text = json::text(json)?;
    if text.starts_with('{') {
        let [id] = json::members(&text, &["session_id"])?;
        return Some(Cow::Owned(json::text(id?)?.into_owned()));
    }
    let [_, rest] = split(text.strip_prefix("user_")?, "_account_")?;
    let [_, id] = split(rest, "_session_")?;
    Some(Cow::Owned(id.to_owned()))
}

fn split<'a>(text: &'a str, word: &str) -> Option<[&'a str; 2]> {
    text.split_once(word).map(|(before, after)| [before, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> (Option<(String, &'static str)>, bool) {
        let search = find(&Body::read(body).expect("an object"));
        (search.found.map(|it| (it.id.into_owned(), it.field.name)), search.invalid)
    }

    fn id(body: &str) -> Option<String> {
        found(body).0.map(|(id, _)| id)
    }

    #[test]
    fn every_field_is_found_and_the_earlier_one_counts() {
        let body = |names: &[&str]| {
            let mut body = serde_json::json!({});
            for name in names {
                let mut place = &mut body;
                for step in name.split('.') {
                    place = &mut place[step];
                }
                *place = if *name == "metadata.user_id" {
                    format!("{{\"session_id\":\"{name}\"}}").into()
                } else {
                    (*name).into()
                };
            }
            body.to_string()
        };
        let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        for (at, name) in names.iter().enumerate() {
            assert_eq!(found(&body(&[name])), (Some(((*name).into(), *name)), false));
            // A conversation is a string or an object, not both.
            let rest: Vec<_> =
                names[at..].iter().copied().filter(|it| *it != "conversation.id" || it == name).collect();
            if *name != "conversation.id" {
                assert_eq!(id(&body(&rest)).as_deref(), Some(*name), "{rest:?}");
            }
        }
    }

    #[test]
    fn of_claude_codes_user_id_only_the_session_counts() {
        let uuid = "4f0c7d52-9f0e-4c59-8a51-6a1b0f2f7c11";
        for (user, session) in [
            (format!(r#"{{\"device_id\":\"aa\",\"account_uuid\":\"\",\"session_id\":\"{uuid}\"}}"#), Some(uuid)),
            (format!("user_bb_account_0d3a1c64_session_{uuid}"), Some(uuid)),
            (format!("user_bb_account__session_{uuid}"), Some(uuid)),
            ("user-7".into(), None),
            ("user_bb_account_cc".into(), None),
            (format!("bb_account_cc_session_{uuid}"), None),
            (format!("user_bb_session_{uuid}"), None),
            (r#"{\"session_id\":7}"#.into(), None),
            (r#"{\"session_id\""#.into(), None),
        ] {
            let found = found(&format!(r#"{{"metadata":{{"user_id":"{user}"}}}}"#));
            assert_eq!(found, (session.map(|id| (id.to_owned(), "metadata.user_id")), false), "{user}");
        }
    }

    #[test]
    fn an_id_with_escapes_is_what_it_says() {
        assert_eq!(id(r#"{"session_id":"a\/\u0062"}"#).as_deref(), Some("a/b"));
    }

    #[test]
    fn what_is_no_id_is_passed_over_and_noticed() {
        let long = "a".repeat(256);
        for (bad, noticed) in
            [("\"\"", true), ("\"a b\"", true), ("\"\\n\"", true), ("\"ü\"", true), (&format!("\"{long}\""), true)]
        {
            let expected = (Some(("g".to_owned(), "prompt_cache_key")), noticed);
            assert_eq!(found(&format!(r#"{{"session_id":{bad},"prompt_cache_key":"g"}}"#)), expected, "{bad}");
        }
        for other in ["7", "null", "true", "{}", "[\"a\"]"] {
            assert_eq!(found(&format!(r#"{{"session_id":{other}}}"#)), (None, false), "{other}");
        }
        assert_eq!(found(&format!(r#"{{"session_id":"{}"}}"#, "a".repeat(5000))), (None, true));
    }

    #[test]
    fn ids_of_requests_and_of_users_name_no_session() {
        let body = r#"{"rid":"a","request_id":"b","user":"c","safety_identifier":"d","previous_response_id":"e"}"#;
        assert_eq!(found(body), (None, false));
    }
}
