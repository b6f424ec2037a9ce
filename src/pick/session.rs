//! The session of a request: its key, its home, and the home of the session that it came from.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::config::{Affinity, PickerConfig};
use crate::model::{EndpointId, Request, SessionKey, SessionSource};
use crate::state::{PoolSnapshot, Session, SessionClass};

use super::Picker;
use super::candidates::may_serve;

/// What is known of a request's session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownSession {
    /// Its key, if the request brought or got an id.
    pub key: Option<SessionKey>,
    /// What the table says of it.
    pub entry: Option<Session>,
    /// Where the session lives that a new one was started from.
    pub parent_home: Option<EndpointId>,
}

impl KnownSession {
    /// Its home, if that is in the pool, in service, allowed and can be reached.
    pub fn live_home(&self, pool: &PoolSnapshot, request: &Request<'_>) -> Option<EndpointId> {
        let member = pool.get(self.entry?.home)?;
        (may_serve(member, request) && !member.load.is_gone()).then_some(member.id)
    }

    /// Whether its home serves nobody at the moment, and is expected back.
    pub fn waits_for_home(&self, pool: &PoolSnapshot) -> bool {
        self.entry.is_some_and(|session| pool.get(session.home).is_some_and(|member| !member.endpoint.ready))
    }
}

impl Picker {
    /// What the table knows of the session of `request`.
    pub(super) fn known_session(&self, config: &PickerConfig, request: &Request<'_>, now: Instant) -> KnownSession {
        let hint = &request.session;
        let Some(id) = hint.id else { return KnownSession::default() };
        // In `hard` mode the pick may come before the body, so the model cannot be part of the key.
        let model = match (config.sessions.affinity, &request.prompt) {
            (Affinity::Hard, _) | (_, None) => "",
            (_, Some(prompt)) => prompt.model,
        };
        let class = if hint.source == SessionSource::Group { SessionClass::Group } else { SessionClass::Session };
        let digest = self.digest.load();
        let key = digest.key(class, hint.tenant, model, id);
        if !is_bound(config, request) {
            return KnownSession { key: Some(key), ..KnownSession::default() };
        }
        let find = |key| self.sessions.get(key, now, config.sessions.idle_timeout);
        let entry = find(key);
        let parent = hint.parent.filter(|_| entry.is_none());
        let parent = parent.and_then(|id| find(digest.key(SessionClass::Session, hint.tenant, model, id)));
        KnownSession { key: Some(key), entry, parent_home: parent.map(|parent| parent.home) }
    }

    /// What rendezvous hashes: the session, else the root of the prefix, else a number.
    pub(super) fn tie_key(&self, session: Option<SessionKey>, chain: &[u64]) -> u64 {
        match (session, chain.first()) {
            // The low half of a digest is as good as any other half.
            (Some(SessionKey(digest)), _) => digest as u64,
            (None, Some(root)) => *root,
            (None, None) => self.anonymous.fetch_add(1, Relaxed),
        }
    }
}

/// Whether the session of this request is looked up and remembered.
pub(super) fn is_bound(config: &PickerConfig, request: &Request<'_>) -> bool {
    request.session.source.is_bindable() && config.sessions.affinity != Affinity::Off
}
