//! What follows a pick: who served, the first byte, the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::model::{Adapter, Decision, EndpointId, Now, SessionKey};
use crate::state::{Booking, Member, Outcome, PoolSnapshot, PromptLength, Session};

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
    /// Whether a response's head was seen.
    answered: bool,
    /// Whether the session was bound to the endpoint.
    bound: bool,
}

/// What was known at the pick and is needed later.
#[derive(Debug)]
pub(super) struct Facts {
    /// The session to bind once the endpoint has answered.
    pub session: Option<SessionKey>,
    /// Whether the session ends with this request.
    pub ends: bool,
    pub old_home: Option<EndpointId>,
    /// The prompt's blocks, of which the endpoint already held the first `matched`.
    pub chain: Box<[u64]>,
    pub matched: usize,
    /// The number under which the endpoint was credited with the chain.
    pub credit: u32,
    /// The LoRA adapter that the request names, and whether it is the first to bring it where it is booked.
    pub adapter: Option<Adapter>,
    pub adapter_is_new: bool,
    pub prompt_bytes: Option<usize>,
    /// Length of the prompt for the session's memory, estimated where the body was not read.
    pub session_prompt: PromptLength,
    /// Whether the prompt was only the end of the session's context.
    pub is_excerpt: bool,
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
    /// Who made this answer.
    pub origin: Origin,
    /// Whether the gateway goes where it is told. One that only lets us watch goes its own way.
    pub is_steered: bool,
}

/// Who made an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The endpoint.
    Endpoint,
    /// The gateway, for the endpoint gave none.
    Gateway,
    /// The gateway, which did not ask the endpoint: a limit of its own was reached.
    Overload,
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
        Self {
            picker,
            decision,
            destination,
            booking,
            facts,
            first_byte: None,
            first_byte_tells,
            answered: false,
            bound: false,
        }
    }

    /// Why.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The destination header's value: `ip:port`, or a list of them.
    pub fn destination(&self) -> Arc<str> {
        Arc::clone(&self.destination)
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
        // Errors are quick and say nothing of prefill, and an engine may answer a streamed request at once.
        self.first_byte_tells = head.is_event_stream && head.status < 400;
        self.answered = true;
        let picker = Arc::clone(&self.picker);
        let pool = picker.pool.load();
        if let Some(served) = head.served.and_then(|address| pool.at(address)) {
            self.move_to(served, head.is_steered, now);
        }
        let outcome = outcome(head);
        if let Some(outcome) = outcome {
            self.booking.load().count(outcome, now.instant);
        }
        match outcome {
            Some(Outcome::Answered) if head.status < 400 => self.bind(now),
            // Refused, failed or never asked: no prompt was computed.
            _ => {
                self.booking.end_waiting();
                self.take_back(&pool);
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
        let Some(session) = self.facts.session.filter(|_| self.bound) else { return };
        if self.facts.ends {
            self.picker.session_ended(session, now);
        } else {
            let answer_tokens = u32::try_from(usage.answer_tokens).unwrap_or(u32::MAX);
            // The engine knows the length of what the request did not show.
            let told = usage.prompt_tokens.filter(|_| self.facts.is_excerpt);
            let prompt = told.map(|tokens| PromptLength::of_tokens(tokens as f64));
            self.picker.session_answered(session, self.booking.endpoint(), answer_tokens, prompt, now);
        }
    }

    /// Nothing more will be seen of the response.
    pub fn detach(mut self, now: Now) -> Detached {
        if self.facts.ends {
            self.facts.session.iter().for_each(|session| self.picker.session_ended(*session, now));
        } else if !self.answered {
            // No answer will ever be seen here: the pick is the best that is known of the session.
            self.bind(now);
        }
        let first_byte = self.booking.predicted_first_byte().max(now.instant);
        let until = first_byte + self.picker.estimates.decode_time();
        Detached { booking: self.booking, first_byte, until }
    }

    fn move_to(&mut self, served: &Member, is_steered: bool, now: Now) {
        if served.id == self.booking.endpoint() {
            return;
        }
        let picker = Arc::clone(&self.picker);
        picker.metrics.served_elsewhere.inc();
        if is_steered {
            // The gateway goes elsewhere only after the picked endpoint has failed it, and before any answer: it is meant to
            // try again where it got no connection.
            self.booking.load().count(Outcome::Unreachable, now.instant);
        }
        self.take_back(&picker.pool.load());
        self.facts.adapter_is_new = self.facts.adapter.is_some_and(|adapter| served.load.adapters().picked(adapter));
        let capacity =
            served.lane.capacity_blocks(&picker.config.load().prefix_index, picker.estimates.bytes_per_token());
        picker.credit(served, &self.facts.chain, capacity, now);
        // What it held before is not known, so nothing is taken back from it later.
        self.facts.matched = self.facts.chain.len();
        self.booking.move_to(served);
    }

    /// Takes back what the pick credited to its endpoint: blocks and an adapter that it did not have before.
    fn take_back(&mut self, pool: &PoolSnapshot) {
        let adapter = self.facts.adapter.filter(|_| std::mem::take(&mut self.facts.adapter_is_new));
        let Some(member) = pool.get(self.booking.endpoint()) else { return };
        self.picker.retract(member, &self.facts.chain, self.facts.matched, self.facts.credit);
        adapter.into_iter().for_each(|adapter| member.load.adapters().remove(adapter));
    }

    /// Makes the endpoint the session's home, unless a later request has moved the session meanwhile, or it has a
    /// home that is expected back.
    fn bind(&mut self, now: Now) {
        let Some(key) = self.facts.session else { return };
        let picker = &self.picker;
        let sessions = &picker.config.load().sessions;
        let home = self.booking.endpoint();
        let current = picker.sessions.get(key, now.instant, sessions.idle_timeout).map(|session| session.home);
        if current.is_some() && current != self.facts.old_home && current != Some(home) {
            return;
        }
        let pool = picker.pool.load();
        let is_away = |home| pool.get(home).is_some_and(|member| !member.endpoint.ready);
        if current.is_some_and(|current| current != home && is_away(current)) {
            return;
        }
        let session = Session { home, prompt: self.facts.session_prompt, answer_tokens: 0 };
        // Refused where another replica has written later; that does not undo what held before.
        if !picker.bind(key, session, sessions, now) {
            return;
        }
        self.bound = true;
        if self.facts.old_home.is_some_and(|old| old != home) {
            picker.metrics.moved_sessions.inc();
        }
    }
}

/// What an answer says of its endpoint; nothing, where the endpoint was not asked.
fn outcome(head: Head) -> Option<Outcome> {
    let asked_somebody = head.is_steered || head.served.is_some();
    match (head.status, head.origin) {
        (_, Origin::Overload) | (400..=499, Origin::Gateway) => None,
        // Nobody knows who failed where the gateway goes its own way and does not say where.
        (500.., _) if !asked_somebody => None,
        // A gateway says 503 where it got no connection or lost it, and 507 where it wanted to try again and had not kept
        // the whole body, which is a connection too if it tries only those again; 504 is its own impatience.
        (503 | 507, Origin::Gateway) => Some(Outcome::Unreachable),
        (500.., _) => Some(Outcome::Failed),
        _ => Some(Outcome::Answered),
    }
}
