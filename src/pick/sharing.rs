//! What this picker tells the other replicas of its pool, and takes in of what they tell.
//!
//! Every write of a pick to the index and the sessions goes through here: without an outbox it is the write and
//! nothing more. Load needs no hook, as it is read from the ledger when it is told.

use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use crate::config::{Affinity, PickerConfig, Sessions as SessionsConfig};
use crate::model::{EndpointId, Now, SessionKey};
use crate::state::{
    Heard, Inbox, Member, Outbox, PromptLength, Session, Stamp, Tables, Teller, Undecodable, decode, encode,
};

use super::Picker;

/// One replica's part in the exchange; the task that exchanges has it, and nobody waits for it.
#[derive(Debug)]
pub struct Replica {
    outbox: Arc<Outbox>,
    teller: Teller,
    inbox: Inbox,
}

impl Replica {
    /// The part of the picker that writes to `outbox`, whose life begins now.
    pub fn new(outbox: Arc<Outbox>, now: Now) -> Self {
        let since = now.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let epoch = u64::try_from(since).unwrap_or(u64::MAX).max(1);
        let (teller, inbox) = (Teller::new(&outbox, epoch), Inbox::new(epoch));
        Self { outbox, teller, inbox }
    }

    /// The replicas that are not silent: number, and when each last said something.
    pub fn heard(&self, now: Instant) -> impl Iterator<Item = (u64, Instant)> + '_ {
        self.inbox.heard(now)
    }
}

impl Picker {
    /// Takes down in `outbox` what other replicas have to know.
    #[must_use]
    pub fn with_outbox(self, outbox: Arc<Outbox>) -> Self {
        Self { outbox: Some(outbox), ..self }
    }

    /// The bytes to send to all others now; none where there is nothing to tell. To be called at every interval, at
    /// least every 500 ms: it also forgets the load of replicas that are silent.
    pub fn tell(&self, replica: &mut Replica, now: Now) -> Option<Vec<u8>> {
        let Replica { outbox, teller, inbox } = replica;
        let pool = self.pool.load();
        inbox.expire(&pool, now.instant);
        let unplaced = inbox.unplaced(now.instant);
        let update = teller.update(outbox, &pool, unplaced, self.digest.load().key_name(), now.instant)?;
        Some(encode(&update))
    }

    /// Takes in the bytes that another replica sent.
    ///
    /// # Errors
    /// They are no update; nothing has changed.
    pub fn hear(&self, replica: &mut Replica, bytes: &[u8], now: Now) -> Result<Heard, Undecodable> {
        let update = decode(bytes)?;
        let Replica { outbox, teller: _, inbox } = replica;
        let config = self.config.load();
        let PickerConfig { sessions, prefix_index, .. } = &**config;
        let bytes_per_token = self.estimates.bytes_per_token();
        let tables = Tables {
            pool: &self.pool.load(),
            index: &self.index,
            capacity: &|member| member.lane.capacity_blocks(prefix_index, bytes_per_token),
            sessions: (sessions.affinity != Affinity::Off).then_some(&self.sessions),
            idle_timeout: sessions.idle_timeout,
            max_sessions: sessions.max_sessions,
            outbox,
            digest_key: self.digest.load().key_name(),
        };
        Ok(inbox.merge(&update, &tables, now))
    }

    /// Credits `chain` to an endpoint; returns the number of the credit.
    pub(super) fn credit(&self, member: &Member, chain: &[u64], capacity: usize) -> u32 {
        match &self.outbox {
            None => self.index.record(&member.lane, chain, capacity),
            Some(outbox) => {
                let tell = |chain: &[u64], known, credit| outbox.credited(member.placement, chain, known, credit);
                self.index.record_and_tell(&member.lane, chain, capacity, outbox.generation(), tell)
            }
        }
    }

    /// Takes what this `credit` gave an endpoint of `chain`, from its block `known` on, back from it.
    pub(super) fn retract(&self, member: &Member, chain: &[u64], known: usize, credit: u32) {
        self.index.retract(&member.lane, chain, known, credit, |few| {
            self.outbox.iter().for_each(|outbox| outbox.retracted(member.placement, few, credit));
        });
    }

    /// Binds a session; returns whether nobody has done so later.
    pub(super) fn bind(&self, key: SessionKey, session: Session, config: &SessionsConfig, now: Now) -> bool {
        let stamp = self.stamp(now);
        let bound = self.sessions.bind(key, session, stamp, now.instant, config.idle_timeout, config.max_sessions);
        if bound {
            self.tell_bound(key, session, stamp);
        }
        bound
    }

    /// The session's home has answered.
    pub(super) fn session_answered(
        &self,
        key: SessionKey,
        home: EndpointId,
        answer_tokens: u32,
        prompt: Option<PromptLength>,
        now: Now,
    ) {
        let stamp = self.stamp(now);
        if let Some(session) = self.sessions.answered(key, home, answer_tokens, prompt, stamp, now.instant) {
            self.tell_bound(key, session, stamp);
        }
    }

    /// The session has ended.
    pub(super) fn session_ended(&self, key: SessionKey, now: Now) {
        let stamp = self.stamp(now);
        self.sessions.end(key, stamp);
        self.outbox.iter().for_each(|outbox| outbox.ended(key, stamp));
    }

    fn tell_bound(&self, key: SessionKey, session: Session, stamp: Stamp) {
        let Some(outbox) = &self.outbox else { return };
        if let Some(home) = self.pool.load().get(session.home) {
            outbox.bound(key, home.placement, session, stamp);
        }
    }

    fn stamp(&self, now: Now) -> Stamp {
        self.outbox.as_ref().map_or_else(Stamp::default, |outbox| outbox.stamp(now.wall))
    }
}
