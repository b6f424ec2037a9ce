//! What the other replicas have in flight at one endpoint: sums that the exchange writes and picks read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Load of all other replicas at one endpoint, as they last told.
#[derive(Debug, Default)]
pub struct Others {
    waiting_tokens: AtomicU64,
    waiting_requests: AtomicU32,
    in_flight: AtomicU32,
}

/// What some replicas together have sent to one endpoint and is not over yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Tokens whose first byte has not come back.
    pub waiting_tokens: u64,
    /// Requests that those tokens belong to.
    pub waiting_requests: u32,
    /// Requests in flight, those that wait included.
    pub in_flight: u32,
}

impl Others {
    /// Takes in a new sum. Whoever reads between two of the stores sees a mixture of both, for nanoseconds.
    pub fn set(&self, sent: Sent) {
        self.waiting_tokens.store(sent.waiting_tokens, Relaxed);
        self.waiting_requests.store(sent.waiting_requests, Relaxed);
        self.in_flight.store(sent.in_flight, Relaxed);
    }

    /// Tokens that wait.
    pub fn waiting_tokens(&self) -> u64 {
        self.waiting_tokens.load(Relaxed)
    }

    /// Requests that wait.
    pub fn waiting_requests(&self) -> u32 {
        self.waiting_requests.load(Relaxed)
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }
}

impl Sent {
    /// This and `other` together; what others say may be anything, so the sum ends at the highest number.
    pub fn plus(self, other: Self) -> Self {
        Self {
            waiting_tokens: self.waiting_tokens.saturating_add(other.waiting_tokens),
            waiting_requests: self.waiting_requests.saturating_add(other.waiting_requests),
            in_flight: self.in_flight.saturating_add(other.in_flight),
        }
    }
}
