//! What follows a pick: who served, the first byte, the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::model::{Decision, EndpointId, Now, SessionKey};
use crate::state::{Booking, Member, Outcome, Session};

use super::Picker;

/// A picked request until its end. Dropping it releases its booking.
#[derive(Debug)]
pub struct Picked {
    picker: Arc<Picker>,
    decision: Arc<Decision>,
    destination: Arc<str>,
    booking: Booking,
    facts: Facts,
    first_byte: Option<Instant>,
    /// Whether the answer's first byte marks the end of prefill, as far as is known.
    first_byte_tells: bool,
}

/// What was known at the pick and is needed later.
#[derive(Debug)]
pub(super) struct Facts {
    /// The session to bind once the endpoint has answered.
    pub session: Option<SessionKey>,
    pub old_home: Option<EndpointId>,
    /// The prompt's blocks, of which the endpoint already held the first `matched`.
    pub chain: Box<[u64]>,
    pub matched: usize,
    pub prompt_bytes: Option<usize>,
    pub prompt_tokens: f64,
    pub streams: bool,
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The status code; 0 if the gateway did not show it.
    pub status: u16,
    /// Who served, where the gateway told.
    pub served: Option<SocketAddr>,
    /// Whether the body is a stream of events, whose first byte marks the end of prefill.
    pub is_event_stream: bool,
    /// Whether the gateway itself made this answer because it got none from the endpoint.
    pub is_local: bool,
}

/// Tokens that the answer says or shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, from `usage`.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, from `usage` or counted.
    pub answer_tokens: u64,
}

/// A booking whose response cannot be seen: it ends by prediction.
#[derive(Debug)]
pub struct Detached {
    /// Hold this until `until`.
    pub booking: Booking,
    /// When prefill should be over: [`Booking::end_waiting`].
    pub first_byte: Instant,
    /// When the answer should be over: drop the booking.
    pub until: Instant,
}

impl Picked {
    pub(super) fn new(
        picker: Arc<Picker>,
        decision: Arc<Decision>,
        destination: Arc<str>,
        booking: Booking,
        facts: Facts,
    ) -> Self {
        let first_byte_tells = facts.streams;
        Self { picker, decision, destination, booking, facts, first_byte: None, first_byte_tells }
    }

    /// Why.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The destination header's value: `ip:port`.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// When prefill should be over, where no byte will tell; `None` once that is settled.
    pub fn waits_until(&self) -> Option<Instant> {
        (self.booking.is_waiting() && !self.first_byte_tells).then(|| self.booking.predicted_first_byte())
    }

    /// Prefill should be over by prediction.
    pub fn waited(&mut self) {
        self.booking.end_waiting();
    }

    /// The response's head came: moves the booking to who served, and binds the session there.
    pub fn answered(&mut self, head: Head, now: Now) {
        self.first_byte_tells |= head.is_event_stream;
        let picker = Arc::clone(&self.picker);
        let pool = picker.pool.load();
        if let Some(served) = head.served.and_then(|address| pool.at(address)) {
            self.move_to(served);
        }
        let outcome = outcome(head);
        self.booking.load().count(outcome, now.instant);
        match outcome {
            Outcome::Answered if head.status < 400 => self.bind(now),
            Outcome::Answered => {}
            Outcome::Failed | Outcome::Unreachable => {
                self.booking.end_waiting();
                if let Some(member) = pool.get(self.booking.endpoint()) {
                    picker.index.retract(&member.lane, &self.facts.chain[self.facts.matched..]);
                }
            }
        }
    }

    /// The first byte of the response's body came.
    pub fn first_byte(&mut self, now: Now) {
        if self.first_byte.is_some() {
            return;
        }
        self.first_byte = Some(now.instant);
        if self.first_byte_tells { self.booking.first_byte(now.instant) } else { self.booking.end_waiting() }
    }

    /// The response ended.
    pub fn completed(self, usage: Usage, now: Now) {
        let estimates = &self.picker.estimates;
        if let (Some(bytes), Some(tokens)) = (self.facts.prompt_bytes, usage.prompt_tokens) {
            estimates.counted(bytes, tokens);
        }
        if let (Some(first), true) = (self.first_byte, self.first_byte_tells) {
            estimates.decoded(now.instant.saturating_duration_since(first));
        }
        if let Some(session) = self.facts.session {
            let tokens = u32::try_from(usage.answer_tokens).unwrap_or(u32::MAX);
            self.picker.sessions.answered(session, self.booking.endpoint(), tokens, now.instant);
        }
    }

    /// Nothing more will be seen of the response.
    pub fn detach(self, now: Now) -> Detached {
        let first_byte = self.booking.predicted_first_byte().max(now.instant);
        let until = first_byte + self.picker.estimates.decode_time();
        Detached { booking: self.booking, first_byte, until }
    }

    fn move_to(&mut self, served: &Member) {
        if served.id == self.booking.endpoint() {
            return;
        }
        let picker = &self.picker;
        picker.metrics.served_elsewhere.inc();
        let pool = picker.pool.load();
        if let Some(picked) = pool.get(self.booking.endpoint()) {
            picker.index.retract(&picked.lane, &self.facts.chain[self.facts.matched..]);
        }
        let capacity =
            served.lane.capacity_blocks(&picker.config.load().prefix_index, picker.estimates.bytes_per_token());
        picker.index.record(&served.lane, &self.facts.chain, capacity);
        // What it held before is not known, so nothing is taken back from it later.
        self.facts.matched = self.facts.chain.len();
        self.booking.move_to(served);
    }

    fn bind(&self, now: Now) {
        let Some(key) = self.facts.session else { return };
        let home = self.booking.endpoint();
        if self.facts.old_home.is_some_and(|old| old != home) {
            self.picker.metrics.moved_sessions.inc();
        }
        let sessions = &self.picker.config.load().sessions;
        let session = Session { home, prompt_tokens: self.facts.prompt_tokens as u32, answer_tokens: 0 };
        self.picker.sessions.bind(key, session, now.instant, sessions.idle_timeout, sessions.max_sessions);
    }
}

/// Only a 5xx is the endpoint's failure; one that the gateway made itself means that it could not be reached.
fn outcome(head: Head) -> Outcome {
    match (head.status, head.is_local) {
        (502..=504, true) => Outcome::Unreachable,
        (500.., _) => Outcome::Failed,
        _ => Outcome::Answered,
    }
}
