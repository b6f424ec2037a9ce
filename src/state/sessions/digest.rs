//! From a raw session id to the key under which it is remembered.

use crate::model::SessionKey;

/// Separates this use of BLAKE3 from all others.
const CONTEXT: &str = "homing 2026-11 session digest";

/// What an id names; the same id in another class is another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionClass {
    /// One conversation.
    Session,
    /// Requests that belong together and are not one conversation.
    Group,
}

/// A keyed digest, the same on all replicas of a pool.
#[derive(Clone, Debug)]
pub struct SessionDigest {
    key: [u8; 32],
}

impl SessionDigest {
    /// Derives the key from what all replicas of a pool share.
    pub fn derived_from(pool: &str) -> Self {
        Self { key: blake3::derive_key(CONTEXT, pool.as_bytes()) }
    }

    /// Names the key without telling it: two replicas that say the same here share sessions.
    pub fn key_name(&self) -> u32 {
        let [a, b, c, d, ..] = *blake3::keyed_hash(&self.key, b"name").as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The key of a session: of its class, tenant and id, and of the model where sessions are kept per model.
    ///
    /// Fields are prefixed with their length, so that no two different ones run together.
    pub fn key(&self, class: SessionClass, tenant: &str, model: &str, id: &str) -> SessionKey {
        let class = match class {
            SessionClass::Session => "session",
            SessionClass::Group => "group",
        };
        let fields = [class, tenant, model, id];
        // In one piece: a hasher that is fed piece by piece is 2 KB of state.
        let mut bytes = Vec::with_capacity(fields.iter().map(|field| size_of::<u64>() + field.len()).sum());
        for field in fields {
            bytes.extend_from_slice(&(field.len() as u64).to_le_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::keyed_hash(&self.key, &bytes).as_bytes()[..16]);
        SessionKey(u128::from_le_bytes(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_replicas_of_a_pool_agree_and_two_pools_do_not() {
        let key = |pool: &str| SessionDigest::derived_from(pool).key(SessionClass::Session, "", "m", "s-1");
        assert_eq!(key("a"), key("a"));
        assert_ne!(key("a"), key("b"));
        let name = |pool: &str| SessionDigest::derived_from(pool).key_name();
        assert!(name("a") == name("a") && name("a") != name("b"));
    }

    #[test]
    fn fields_never_run_together() {
        let digest = SessionDigest::derived_from("pool");
        let key = |tenant, model, id| digest.key(SessionClass::Session, tenant, model, id);
        assert_ne!(key("ab", "c", "d"), key("a", "bc", "d"));
        assert_ne!(key("", "m", "x"), key("", "", "mx"));
    }

    #[test]
    fn a_session_and_a_group_of_one_name_are_two() {
        let digest = SessionDigest::derived_from("pool");
        let [session, group] =
            [SessionClass::Session, SessionClass::Group].map(|class| digest.key(class, "", "m", "x"));
        assert_ne!(session, group);
    }
}
