//! Bookings: the picker counts its own sends.
//!
//! A booking owns its share of an endpoint's load and releases it when dropped, so it cannot leak.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::EndpointId;

use super::load::LoadCell;
use super::pool::Member;

/// A prediction longer than this is a misreading of the speed.
const LONGEST_PREFILL: Duration = Duration::from_secs(600);

/// One request's share of one endpoint's load.
///
/// Its waiting tokens end at [`Booking::end_waiting`], the rest when it is dropped.
#[derive(Debug)]
pub struct Booking {
    load: Arc<LoadCell>,
    endpoint: EndpointId,
    /// Tokens still waiting; `None` once the first byte came back.
    waiting: Option<u64>,
    uncached: f64,
    queue: f64,
    at: Instant,
}

impl Booking {
    /// Books `uncached` tokens on `member`, behind a queue of `queue` tokens.
    pub fn new(member: &Member, uncached: f64, queue: f64, at: Instant) -> Self {
        // Never zero: even a request that computes nothing takes its turn.
        let tokens = (uncached.max(1.0)) as u64;
        member.load.book(tokens);
        Self {
            load: Arc::clone(&member.load),
            endpoint: member.id,
            waiting: Some(tokens),
            uncached: uncached.max(1.0),
            queue,
            at,
        }
    }

    /// Where it is booked.
    pub fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Whether its tokens still wait.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The load that it is part of.
    pub fn load(&self) -> &LoadCell {
        &self.load
    }

    /// When prefill should be over: (queue at the pick + own tokens) / speed.
    pub fn predicted_first_byte(&self) -> Instant {
        let seconds = (self.queue + self.uncached) / self.load.prefill_speed();
        let prefill = Duration::try_from_secs_f64(seconds).map_or(LONGEST_PREFILL, |time| time.min(LONGEST_PREFILL));
        self.at + prefill
    }

    /// Ends the waiting: prefill is over, or should be by prediction.
    pub fn end_waiting(&mut self) {
        if let Some(tokens) = self.waiting.take() {
            self.load.release_waiting(tokens);
        }
    }

    /// The first byte of a streamed answer came: ends the waiting and learns the endpoint's speed.
    pub fn first_byte(&mut self, now: Instant) {
        if self.waiting.is_some() {
            let time = now.saturating_duration_since(self.at);
            self.load.learn_speed(self.queue + self.uncached, self.uncached, time);
        }
        self.end_waiting();
    }

    /// Moves to the endpoint that really serves.
    pub fn move_to(&mut self, member: &Member) {
        if member.id == self.endpoint {
            return;
        }
        let waiting = self.waiting.is_some();
        let mut moved = Self::new(member, self.uncached, self.queue, self.at);
        if !waiting {
            moved.end_waiting();
        }
        *self = moved;
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        self.end_waiting();
        self.load.release();
    }
}
