//! What this picker tells the other replicas of its pool, and takes in of what they tell.
//!
//! Every write of a pick to the index and the sessions goes through here: without an outbox it is the write and
//! nothing more. Load needs no hook, as it is read from the ledger when it is told.

use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use crate::config::{Affinity, PickerConfig, Sessions as SessionsConfig};
use crate::model::{EndpointId, Now, SessionKey};
use crate::proto::sync::Update;
use crate::state::{
    Heard, Inbox, Keys, Member, Outbox, Peer, PromptLength, Session, Stamp, Tables, Teller, Undecodable, cut_key,
    decode, encode,
};

use super::Picker;

/// One replica's part in the exchange; the task that exchanges has it, and nobody waits for it.
#[derive(Debug)]
pub struct Replica {
    outbox: Arc<Outbox>,
    teller: Teller,
    inbox: Inbox,
    /// What was told last, until it is known to have arrived.
    told: Option<Update>,
}

/// When something was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Just now.
    Now,
    /// Before this replica listened: it says nothing of load.
    Before,
}

impl Replica {
    /// The part of the picker that writes to `outbox`, which people call `name`, and whose life begins now.
    pub fn new(outbox: Arc<Outbox>, name: &str, now: Now) -> Self {
        let since = now.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let epoch = u64::try_from(since).unwrap_or(u64::MAX).max(1);
        let (teller, inbox) = (Teller::new(&outbox, name, epoch), Inbox::new(epoch));
        Self { outbox, teller, inbox, told: None }
    }

    /// What was told last did not arrive, as far as is known: it is told again.
    pub fn lost(&mut self) {
        let Some(update) = self.told.take() else { return };
        self.inbox.ask_again(&update.unplaced);
        self.teller.lost(update, &self.outbox);
    }

    /// Whole chains are to be told again, each when it is next picked.
    pub fn tell_all_again(&self) {
        self.outbox.lacks();
    }

    /// The replicas that are not silent.
    pub fn heard(&self, now: Instant) -> impl Iterator<Item = Peer> + '_ {
        self.inbox.heard(now)
    }

    /// News that were dropped because nobody took them in time.
    pub fn dropped(&self) -> u64 {
        self.outbox.dropped()
    }

    /// How often all was told again.
    pub fn told_again(&self) -> u64 {
        self.outbox.told_again()
    }
}

impl Picker {
    /// Takes down in `outbox` what other replicas have to know.
    #[must_use]
    pub fn with_outbox(self, outbox: Arc<Outbox>) -> Self {
        Self { outbox: Some(outbox), ..self }
    }

    /// Forgets the load of replicas that are silent. To be called at least every 100 ms, whether anything can be told
    /// or not.
    pub fn forget_silent(&self, replica: &mut Replica, now: Now) {
        replica.inbox.expire(&self.pool.load(), now.instant);
    }

    /// The bytes to send to all others now; none where there is nothing to tell. To be called at every interval, at
    /// least every 500 ms. Bytes that do not arrive are [lost](Replica::lost), and told again.
    pub fn tell(&self, replica: &mut Replica, now: Now) -> Option<Vec<u8>> {
        let Replica { outbox, teller, inbox, told } = replica;
        let unplaced = inbox.unplaced(now.instant);
        let keys = self.keys(&self.config.load());
        *told = teller.update(outbox, &self.pool.load(), unplaced, keys, now.instant);
        told.as_ref().map(encode)
    }

    /// Takes in the bytes that a replica sent.
    ///
    /// # Errors
    /// They are no update; nothing has changed.
    pub fn hear(&self, replica: &mut Replica, bytes: &[u8], told: Told, now: Now) -> Result<Heard, Undecodable> {
        let update = decode(bytes)?;
        let Replica { outbox, inbox, .. } = replica;
        let config = self.config.load();
        let PickerConfig { sessions, prefix_index, .. } = &**config;
        let bytes_per_token = self.estimates.bytes_per_token();
        let tables = Tables {
            pool: &self.pool.load(),
            index: &self.index,
            capacity: &|member| match told {
                Told::Now => member.lane.capacity_blocks(prefix_index, bytes_per_token),
                Told::Before => member.lane.capacity_of_history(prefix_index, bytes_per_token),
            },
            sessions: (sessions.affinity != Affinity::Off).then_some(&self.sessions),
            idle_timeout: sessions.idle_timeout,
            max_sessions: sessions.max_sessions,
            outbox,
            keys: self.keys(&config),
        };
        Ok(inbox.merge(&update, told == Told::Before, &tables, now))
    }

    fn keys(&self, config: &PickerConfig) -> Keys {
        let cut = &config.prefix_index;
        Keys { digest: self.digest.load().key_name(), cut: cut_key(cut.block_bytes, cut.media_bytes()) }
    }

    /// Credits `chain` to an endpoint; returns the number of the credit.
    pub(super) fn credit(&self, member: &Member, chain: &[u64], capacity: usize, now: Now) -> u32 {
        match &self.outbox {
            None => self.index.record(&member.lane, chain, capacity),
            Some(outbox) => {
                let tell =
                    |chain: &[u64], known, credit| outbox.credited(member.placement, chain, known, credit, now.instant);
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
