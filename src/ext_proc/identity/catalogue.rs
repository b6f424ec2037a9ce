//! The headers by which known clients name their conversations. `docs/sessions.md` shows the same table.
//!
//! Not in it: ids of one request (`x-request-id`, `x-client-request-id`, `x-correlation-id`), of a connection
//! (`mcp-session-id`), and tokens in which another router wrote where a client shall go (`x-session-token`,
//! `x-smg-target-worker`): an id that many conversations share, or none, is worse than no id.

use std::sync::LazyLock;

use crate::model::SessionSource;

/// A header that holds a session's id.
#[derive(Debug)]
pub struct Known {
    /// In lower case.
    pub name: &'static str,
    /// What kind of header it is.
    pub source: SessionSource,
    /// Headers that name the session to which the sub-agent with this id belongs.
    pub child_of: &'static [&'static str],
    /// Whether this id is one only inside that session.
    pub is_scoped: bool,
}

/// A header that holds the id of the session which this one was started from.
#[derive(Debug)]
pub struct Parent {
    /// In lower case.
    pub name: &'static str,
    /// Headers that name the session inside which alone this id is one.
    pub scope: &'static [&'static str],
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The id of the session, by the place in [`SESSIONS`].
    Session(usize),
    /// The id of the session that it was started from, by the place in [`PARENTS`].
    Parent(usize),
    /// Whether this is the session's last request.
    Final,
}

/// All headers that hold a session's id; of those that a request has, the first with a valid id counts.
pub static SESSIONS: [Known; 28] = [
    explicit("x-session-id"),
    explicit("x-session-affinity"),
    explicit("x-opencode-session"),
    explicit("x-dynamo-session-id"),
    // Sub-agents before the session that they belong to. Claude Code names them `agent-3` and the like.
    Known { child_of: &["x-claude-code-session-id"], is_scoped: true, ..harness("x-claude-code-agent-id") },
    Known { child_of: &["session-id", "session_id"], ..harness("thread-id") },
    Known { child_of: &["session_id", "session-id"], ..harness("thread_id") },
    harness("x-claude-code-session-id"),
    harness("session-id"),
    harness("session_id"),
    harness("conversation_id"),
    harness("x-codex-window-id"),
    harness("x-interaction-id"),
    harness("x-client-session-id"),
    harness("x-kilocode-taskid"),
    harness("x-mux-workspace-id"),
    harness("x-coder-chat-id"),
    harness("x-amp-thread-id"),
    harness("x-litellm-session-id"),
    harness("x-bf-session-id"),
    harness("x-grok-conv-id"),
    harness("x-aibrix-session-key"),
    harness("x-smg-routing-key"),
    harness("x-sgl-routing-key"),
    harness("x-model-affinity"),
    harness("modal-session-id"),
    harness("x-cloudbase-session-id"),
    // An editor's window, in which several conversations may run.
    harness("vscode-sessionid"),
];

/// The headers that name the session which this one was started from; the first with a valid id counts.
pub static PARENTS: [Parent; 3] = [
    Parent { name: "x-parent-session-id", scope: &[] },
    Parent { name: "x-dynamo-parent-session-id", scope: &[] },
    Parent { name: "x-claude-code-parent-agent-id", scope: &["x-claude-code-session-id"] },
];

/// The header that ends a session.
pub const FINAL: &str = "x-dynamo-session-final";

/// No name in the tables is longer.
const LONGEST_NAME: usize = 32;

static BY_NAME: LazyLock<Vec<(&'static str, Meaning)>> = LazyLock::new(|| {
    let sessions = SESSIONS.iter().enumerate().map(|(place, known)| (known.name, Meaning::Session(place)));
    let parents = PARENTS.iter().enumerate().map(|(place, known)| (known.name, Meaning::Parent(place)));
    let mut all: Vec<_> = sessions.chain(parents).chain([(FINAL, Meaning::Final)]).collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    all
});

/// A bit for each length and each end of a name: most headers of a request are told apart by these alone.
static ENDS: LazyLock<[u64; LONGEST_NAME + 1]> = LazyLock::new(|| {
    let mut ends = [0; LONGEST_NAME + 1];
    BY_NAME.iter().for_each(|(name, _)| ends[name.len()] |= end_of(name));
    ends
});

/// The bit of a name's last letter, in either case.
fn end_of(name: &str) -> u64 {
    name.bytes().last().map_or(0, |last| 1 << (last & 0x1f))
}

/// What the header of this name says, in any letter case.
pub fn meaning(name: &str) -> Option<Meaning> {
    if ENDS.get(name.len())? & end_of(name) == 0 {
        return None;
    }
    let mut lower = [0; LONGEST_NAME];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    let place = BY_NAME.binary_search_by(|(known, _)| known.as_bytes().cmp(lower)).ok()?;
    Some(BY_NAME[place].1)
}

/// The place of a session header in [`SESSIONS`].
pub fn session(name: &str) -> Option<usize> {
    if let Some(Meaning::Session(place)) = meaning(name) { Some(place) } else { None }
}

const fn explicit(name: &'static str) -> Known {
    Known { name, source: SessionSource::Header, child_of: &[], is_scoped: false }
}

const fn harness(name: &'static str) -> Known {
    Known { name, source: SessionSource::Harness, child_of: &[], is_scoped: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext_proc::content::SESSION_FIELDS;

    #[test]
    fn every_name_is_found_in_any_letter_case() {
        for (place, known) in SESSIONS.iter().enumerate() {
            assert_eq!(meaning(&known.name.to_uppercase()), Some(Meaning::Session(place)), "{}", known.name);
            assert!(known.child_of.iter().all(|name| session(name) > Some(place)));
        }
        for (place, known) in PARENTS.iter().enumerate() {
            assert_eq!(meaning(known.name), Some(Meaning::Parent(place)));
            assert!(known.scope.iter().all(|name| session(name).is_some()));
        }
        assert_eq!(meaning("X-Dynamo-Session-Final"), Some(Meaning::Final));
    }

    #[test]
    fn ids_of_requests_and_tokens_of_other_routers_mean_nothing() {
        let long = "x".repeat(100);
        for name in [
            "",
            "x-request-id",
            "x-client-request-id",
            "x-correlation-id",
            "rid",
            "mcp-session-id",
            "x-session-token",
            "x-session-token-prefill",
            "x-smg-target-worker",
            "cookie",
            &long,
        ] {
            assert_eq!(meaning(name), None, "{name}");
        }
    }

    #[test]
    fn the_page_shows_every_header_and_field_in_order() {
        let page = include_str!("../../../docs/sessions.md");
        let rows = |source: &str| -> Vec<String> {
            let row = |line: &str| {
                let cells: Vec<_> = line.split('|').map(str::trim).collect();
                (cells.get(2) == Some(&format!("`{source}`").as_str())).then(|| cells[1].trim_matches('`').to_owned())
            };
            page.lines().filter_map(row).collect()
        };
        let headers = |source| SESSIONS.iter().filter(move |it| it.source == source).map(|it| it.name);
        let fields = |source| SESSION_FIELDS.iter().filter(move |it| it.source == source).map(|it| it.name);
        for source in SessionSource::ALL {
            let known: Vec<_> = headers(source).chain(fields(source)).collect();
            if !known.is_empty() {
                assert_eq!(rows(source.as_str()), known, "{source:?}");
            }
        }
        for name in PARENTS.iter().map(|it| it.name).chain([FINAL]) {
            assert!(page.contains(&format!("`{name}")), "{name}");
        }
    }
}
