//! The response side: status, first byte, who served, the session's echo. Bytes pass untouched.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::metrics::EarlyLabel;
use crate::model::Now;
use crate::pick::{Head, Usage};

use super::answers::{BodyDone, BodyDue, HeadersDue, ToClient};
use super::conformance;
use super::event::BodyMode;
use super::head::ResponseHead;
use super::machine::Machine;
use super::usage::UsageReader;

/// The response header that holds a decision, with `--explain-header`.
const DECISION: &str = "x-homing-decision";

/// Where a response stands.
#[derive(Debug)]
pub enum ResponseSide {
    /// Nothing came yet.
    Start(HeadersDue<ToClient>),
    /// Headers are answered; the body passes through.
    Passing(BodyDue<ToClient>, UsageReader),
    /// All of the response is answered.
    Answered(Option<BodyDone<ToClient>>, UsageReader),
}

impl ResponseSide {
    /// The start.
    pub fn new() -> Self {
        Self::Start(HeadersDue::new())
    }

    /// Whether any of the response was seen.
    pub fn has_begun(&self) -> bool {
        !matches!(self, Self::Start(_))
    }

    /// What the answer said of its tokens.
    pub fn usage(&self, bytes_per_token: f64) -> Usage {
        match self {
            Self::Start(_) => Usage::default(),
            Self::Passing(_, usage) | Self::Answered(_, usage) => usage.finish(bytes_per_token),
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Answered(None, UsageReader::default()))
    }
}

// === impl Machine: the response side ===

impl Machine {
    pub(super) fn response_headers(&mut self, head: ResponseHead, served: Option<SocketAddr>, end: bool, now: Now) {
        if self.observing {
            // No more of the request will come, if any of its body was ever to.
            self.request_is_late(EarlyLabel::BodyMode, now);
        }
        let due = match self.response.take() {
            ResponseSide::Start(due) => due,
            under_way => {
                self.response = under_way;
                return;
            }
        };
        if let Some(picked) = &mut self.picked {
            picked.answered(
                Head {
                    status: head.status,
                    served,
                    is_event_stream: head.is_event_stream,
                    origin: head.origin(),
                    is_steered: !self.observing,
                },
                now,
            );
        }
        let explanation = self.explanation.take().map(|explanation| (DECISION.into(), explanation));
        let mut set: Vec<_> = self.echo().into_iter().chain(explanation).collect();
        if self.options.conformance_test_headers {
            set.extend(conformance::reports(self.picked.as_ref(), served));
        }
        let due = due.answer(&mut self.out, set, self.modes.response == BodyMode::Duplex);
        let usage = UsageReader::new(head.is_event_stream);
        if end {
            self.response = ResponseSide::Answered(Some(due.end_without_body()), usage);
            self.response_ended(now);
        } else {
            self.response = ResponseSide::Passing(due, usage);
            if self.modes.response == BodyMode::None {
                // Envoy resets the stream right after this answer: the end will not be seen.
                self.detach(now);
            }
        }
    }

    pub(super) fn response_body(&mut self, bytes: Bytes, end: bool, now: Now) {
        let (mut due, mut usage) = match self.response.take() {
            // The gateway skips response headers: the body must not be lost for it.
            ResponseSide::Start(due) => (due.skip(self.modes.response == BodyMode::Duplex), UsageReader::default()),
            ResponseSide::Passing(due, usage) => (due, usage),
            ResponseSide::Answered(done, usage) => {
                self.picker.metrics().duplicate_chunks.inc();
                if let Some(done) = &done {
                    done.again(&mut self.out);
                }
                self.response = ResponseSide::Answered(done, usage);
                return;
            }
        };
        if let Some(picked) = self.picked.as_mut().filter(|_| !bytes.is_empty()) {
            picked.first_byte(now);
        }
        usage.chunk(&bytes);
        if end {
            self.response = ResponseSide::Answered(Some(due.end(&mut self.out, bytes)), usage);
            self.response_ended(now);
        } else {
            due.pass(&mut self.out, bytes);
            self.response = ResponseSide::Passing(due, usage);
        }
    }

    pub(super) fn response_trailers(&mut self, now: Now) {
        let (done, usage) = match self.response.take() {
            ResponseSide::Start(due) => (Some(due.skip(false).end_without_body()), UsageReader::default()),
            ResponseSide::Passing(due, usage) => (Some(due.end_without_body()), usage),
            ResponseSide::Answered(done, usage) => (done, usage),
        };
        if let Some(done) = done {
            done.trailers(&mut self.out);
        }
        self.response = ResponseSide::Answered(None, usage);
        self.response_ended(now);
    }
}
