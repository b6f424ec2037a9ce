//! The state machine of one stream: events in, replies out.
//!
//! It does no I/O and reads no clock. Request and response side are independent: response events are legal
//! in every request state. Whatever comes in whatever order, it never panics, never answers out of order,
//! and holds at most one booking, which ends with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::{EarlyLabel, EndLabel, RefusalLabel};
use crate::model::{Now, Subset};
use crate::pick::{Detached, Picked, Picker};
use crate::proto::envoy::ProcessingRequest;

use super::answers::{Out, Refusal, Reply};
use super::budget::{Budget, Lease};
use super::conformance;
use super::decode;
use super::event::{BodyMode, Event, Modes};
use super::identity::Identity;
use super::request::RequestSide;
use super::response::ResponseSide;

/// What the operator chose, by flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Return the explanation of each pick in a response header.
    pub explain_header: bool,
    /// Let the gateway look up its route again once the destination is set.
    pub clear_route_cache: bool,
    /// Heed and answer the headers of the conformance suite: clients then choose their endpoints.
    pub conformance_test_headers: bool,
}

/// One stream.
#[derive(Debug)]
pub struct Machine {
    pub(super) picker: Arc<Picker>,
    pub(super) budget: Arc<Budget>,
    pub(super) options: Options,
    pub(super) modes: Modes,
    /// Whether no message came yet.
    fresh: bool,
    /// Whether the gateway told its modes; one that does not may half-close and still listen.
    told: bool,
    pub(super) request: RequestSide,
    pub(super) response: ResponseSide,
    pub(super) identity: Identity,
    /// Whether the request's headers were seen.
    pub(super) met: bool,
    /// Whether a body that was to be read, and was not, may name the session.
    pub(super) may_be_named: bool,
    /// Whether the client speaks gRPC.
    pub(super) is_grpc: bool,
    /// The endpoints that the gateway allows, if it said.
    pub(super) subset: Option<Subset>,
    /// Whether the gateway only lets us watch: everything happens but replies.
    pub(super) observing: bool,
    pub(super) picked: Option<Picked>,
    /// The explanation that the response returns, kept beyond the booking.
    pub(super) explanation: Option<Box<str>>,
    pub(super) out: Out,
    /// The budget of a body that is in `out` and not yet sent.
    pub(super) leaving: Option<Lease>,
    detached: Option<Detached>,
    ended: Option<EndLabel>,
}

/// How the stream ends once the gateway sends nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Everything is answered: end well.
    Complete,
    /// Something is not: ending well would lose data silently.
    Incomplete,
}

impl Machine {
    /// A machine for a new stream.
    pub fn new(picker: Arc<Picker>, budget: Arc<Budget>, options: Options) -> Self {
        picker.metrics().open_streams.inc();
        Self {
            picker,
            budget,
            options,
            modes: Modes::default(),
            fresh: true,
            told: false,
            request: RequestSide::new(),
            response: ResponseSide::new(),
            identity: Identity::default(),
            met: false,
            may_be_named: false,
            is_grpc: false,
            subset: None,
            observing: false,
            picked: None,
            explanation: None,
            out: Out::new(),
            leaving: None,
            detached: None,
            ended: None,
        }
    }

    /// Takes one message in; the first also tells how the gateway hands over bodies.
    pub fn message(&mut self, message: ProcessingRequest, now: Now) {
        if std::mem::take(&mut self.fresh) {
            if let Some(told) = &message.protocol_config {
                self.modes = decode::modes(told);
                self.told = true;
            }
            if message.observability_mode {
                // Such a gateway waits for nothing, so the modes that it tells do not bind us.
                self.modes = Modes::default();
                self.observing = true;
                self.picker.metrics().observed.inc();
            }
        }
        if self.is_over() {
            return;
        }
        if self.options.conformance_test_headers
            && let Some(selection) = decode::selection(&message, conformance::SELECTION)
        {
            self.subset = Some(selection);
        }
        if self.subset.is_none() {
            self.subset = decode::subset(message.metadata_context.as_ref(), || self.odd_subset());
        }
        let config = self.picker.config();
        if let Some(event) = decode::event(message, &config.sessions) {
            self.on(event, now);
        }
    }

    fn on(&mut self, event: Event, now: Now) {
        match event {
            Event::RequestHeaders { head, end } => self.request_headers(head, end, now),
            Event::RequestBody { bytes, end } => self.request_body(bytes, end, now),
            Event::RequestTrailers => self.request_trailers(now),
            Event::ResponseHeaders { head, served, end } => self.response_headers(head, served, end, now),
            Event::ResponseBody { bytes, end } => self.response_body(bytes, end, now),
            Event::ResponseTrailers => self.response_trailers(now),
        }
    }

    /// When to call [`Machine::on_deadline`], if nothing comes before.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = self.picked.as_ref().and_then(Picked::waits_until);
        [self.request.deadline(), waits].into_iter().flatten().min()
    }

    /// A deadline has passed: a body is late, or prefill should be over.
    pub fn on_deadline(&mut self, now: Now) {
        if let Some(picked) = &mut self.picked
            && picked.waits_until().is_some_and(|until| until <= now.instant)
        {
            picked.waited();
        }
        if self.request.deadline().is_some_and(|deadline| deadline <= now.instant) {
            self.request_is_late(EarlyLabel::Slow, now);
        }
    }

    /// The gateway sends nothing more: it closed its half, or reset the stream.
    ///
    /// With `protocol_config` that is an abort unless the response has ended, or none of it may be shown. Without, it may
    /// just be done sending and still read. Then the booking goes on by prediction.
    pub fn on_close(&mut self, now: Now) -> Close {
        if self.ended.is_some() {
            return Close::Complete;
        }
        if self.observing {
            self.end(if self.response.has_begun() { EndLabel::Detached } else { EndLabel::Aborted });
            return Close::Complete;
        }
        if (!self.told && self.request.is_answered() && !self.response.has_begun()) || self.is_left_alone() {
            self.detach(now);
            return Close::Complete;
        }
        self.end(EndLabel::Aborted);
        Close::Incomplete
    }

    /// The stream broke before its end was read.
    pub fn on_reset(&mut self, now: impl FnOnce() -> Now) {
        if self.ended.is_none() && self.is_left_alone() {
            self.detach(now());
        }
    }

    /// Whether the gateway may have ended the stream because it shows nothing of the response, which goes on.
    ///
    /// Envoy does so with `response_header_mode: SKIP`, of which it does not tell, once it has our last answer; where we
    /// answer chunk by chunk or the whole body at once it keeps the stream till the response has ended.
    fn is_left_alone(&self) -> bool {
        let ends_early = matches!(self.modes.request, BodyMode::None | BodyMode::Duplex);
        let shows_nothing = self.told && self.modes.response == BodyMode::None;
        shows_nothing && ends_early && self.request.is_answered() && !self.response.has_begun()
    }

    /// The next reply to send.
    pub fn next_reply(&mut self) -> Option<Reply> {
        if self.observing {
            self.out.clear();
        }
        let next = self.out.pop_front();
        if next.is_none() {
            self.leaving = None;
        }
        next
    }

    /// Whether the stream ends once all replies are sent: the request was refused.
    pub fn is_over(&self) -> bool {
        self.ended == Some(EndLabel::Refused) && !self.observing
    }

    /// A booking that outlives the stream; the caller ends it at its times.
    pub fn take_detached(&mut self) -> Option<Detached> {
        self.detached.take()
    }

    /// Answers with an immediate response; nothing follows it.
    pub(super) fn refuse(&mut self, status: u16, label: RefusalLabel, message: String, retry_after: Option<Duration>) {
        self.picker.metrics().refused.of(label).inc();
        let reason = label.as_str();
        tracing::debug!(status, reason, "refused");
        let session = self.echo();
        // Rounded up: a client that comes back a moment too early is refused again.
        let retry_after = retry_after.map(|time| time.as_secs_f64().ceil().max(1.0) as u64);
        let is_grpc = self.is_grpc;
        self.out.push_back(Reply::Refuse(Refusal { status, reason, message, session, retry_after, is_grpc }));
        self.end(EndLabel::Refused);
    }

    /// The response's end was seen or will not be: hand the booking on where it will not.
    pub(super) fn response_ended(&mut self, now: Now) {
        let usage = self.response.usage(self.picker.bytes_per_token());
        if let Some(picked) = self.picked.take() {
            picked.completed(usage, now);
        }
        self.end(EndLabel::Completed);
    }

    /// Nothing more of the response will be seen.
    pub(super) fn detach(&mut self, now: Now) {
        self.detached = self.picked.take().map(|picked| picked.detach(now));
        self.end(EndLabel::Detached);
    }

    /// The session header and the id that the response returns.
    pub(super) fn echo(&mut self) -> Option<(Box<str>, Box<str>)> {
        if self.met {
            // The answer may come before the body that would have named a session.
            self.identity.settle(None, self.generates());
        }
        let id = self.identity.echoed()?;
        Some((self.picker.config().sessions.headers.first()?.as_str().into(), id.into()))
    }

    /// Whether a client that names no session gets an id.
    pub(super) fn generates(&self) -> bool {
        self.picker.config().sessions.generate && !self.may_be_named && !self.observing
    }

    fn odd_subset(&self) {
        let before = self.picker.metrics().odd_subsets.inc();
        if before == 0 {
            tracing::warn!("the gateway's subset hint is neither text nor a list; it admits nobody. Told once");
        }
    }

    pub(super) fn request_is_duplex(&self) -> bool {
        self.modes.request == BodyMode::Duplex
    }

    fn end(&mut self, label: EndLabel) {
        if self.ended.is_none() {
            self.ended = Some(label);
            self.picker.metrics().ended.of(label).inc();
        }
        self.picked = None;
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end(EndLabel::Aborted);
        self.picker.metrics().open_streams.dec();
    }
}

#[cfg(test)]
mod tests;
