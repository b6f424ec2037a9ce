//! The request side: headers, a kept body, the pick, and the body passed on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::ByteSize;
use crate::metrics::{EarlyLabel, RefusalLabel};
use crate::model::{Now, Request};
use crate::pick::Refusal;

use super::answers::{BodyDone, BodyDue, HeadersDue, RequestAnswer, ToEndpoint};
use super::api::Api;
use super::body::{Full, KeptBody};
use super::conformance;
use super::content::{Content, Fault, with_content};
use super::event::BodyMode;
use super::head::{DESTINATION, RequestHead};
use super::machine::{Machine, Options};

/// Where a request stands.
#[derive(Debug)]
pub enum RequestSide {
    /// Nothing came yet.
    Start(HeadersDue<ToEndpoint>),
    /// In duplex mode: the body is kept until it is complete.
    Keeping {
        /// The right to answer.
        due: HeadersDue<ToEndpoint>,
        /// What the headers said.
        head: RequestHead,
        /// How to read the body.
        api: Api,
        /// What came of the body.
        body: KeptBody,
        /// When to pick without the rest of it.
        deadline: Instant,
    },
    /// In buffered modes: headers are answered, the one body message is awaited.
    Awaiting(BodyDue<ToEndpoint>, RequestHead, Api),
    /// Picked; the body passes through.
    Passing(BodyDue<ToEndpoint>),
    /// All of the request is answered.
    Answered(Option<BodyDone<ToEndpoint>>),
}

/// What a pick may read of the body.
enum Seen<'a> {
    /// What it says, and how many bytes it has.
    Content(Content<'a>, usize),
    Nothing,
}

// === impl RequestSide ===

impl RequestSide {
    /// The start.
    pub fn new() -> Self {
        Self::Start(HeadersDue::new())
    }

    /// When the body is late.
    pub fn deadline(&self) -> Option<Instant> {
        if let Self::Keeping { deadline, .. } = self { Some(*deadline) } else { None }
    }

    /// Whether nothing of the request is left to answer.
    pub fn is_answered(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// Takes the state out; the caller puts the next one in, or leaves it: after a refusal nothing is due.
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Answered(None))
    }
}

// === impl Machine: the request side ===

impl Machine {
    /// Decides at once where no body can change the pick, and else waits for the body.
    pub(super) fn request_headers(&mut self, mut head: RequestHead, end: bool, now: Now) {
        let due = match self.request.take() {
            RequestSide::Start(due) => due,
            under_way => {
                // A second set of headers has no meaning.
                self.request = under_way;
                return;
            }
        };
        self.meet(&mut head);
        let waits = match head.api {
            _ if end => Err(EarlyLabel::NoBody),
            None => Err(EarlyLabel::Unreadable),
            Some(_) if !matches!(self.modes.request, BodyMode::Duplex | BodyMode::Buffered) => {
                Err(EarlyLabel::BodyMode)
            }
            Some(_) if !self.picker.needs_body(&self.facts(&head, &Seen::Nothing), now) => Err(EarlyLabel::Settled),
            // The conformance suite asks pickers one after the other who has the pod: it need not send the body for a no.
            Some(_) if self.options.conformance_test_headers && self.selects_nobody(&head) => Err(EarlyLabel::Settled),
            Some(api) => Ok(api),
        };
        match waits {
            Err(cause) => {
                self.picker.metrics().early.of(cause).inc();
                if let Some(answer) = self.pick(&head, &Seen::Nothing, end, now) {
                    self.answer_headers(due, answer, end);
                }
            }
            Ok(api) if self.request_is_duplex() => {
                let body = KeptBody::new(self.budget.lease());
                let deadline = now.instant + self.picker.config().limits.body_wait;
                self.request = RequestSide::Keeping { due, head, api, body, deadline };
            }
            Ok(api) => {
                // Envoy sends no body before the headers are answered; the destination follows with the body. Until
                // then a destination of the client's own must not stand.
                let answer = RequestAnswer { strip: vec![DESTINATION], ..RequestAnswer::default() };
                let due = due.answer(&mut self.out, answer, false);
                self.request = RequestSide::Awaiting(due, head, api);
            }
        }
    }

    pub(super) fn request_body(&mut self, bytes: Bytes, end: bool, now: Now) {
        match self.request.take() {
            RequestSide::Start(due) => {
                // The gateway skips request headers: there is nothing to pick by, and the body must not be lost.
                self.request = RequestSide::Passing(due.skip(self.request_is_duplex()));
                self.request_body(bytes, end, now);
            }
            RequestSide::Keeping { due, head, api, mut body, deadline } => {
                let config = self.picker.config();
                let limits = &config.limits;
                match body.keep(bytes, limits.request_body.0, limits.buffered_bodies.0) {
                    Ok(()) if end => self.decide(due, &head, api, body, true, now),
                    Ok(()) => self.request = RequestSide::Keeping { due, head, api, body, deadline },
                    Err((Full::Body, _)) if !self.response.has_begun() => self.refuse_too_large(limits.request_body),
                    Err((_, bytes)) => {
                        self.pick_without_body(due, &head, body, EarlyLabel::Budget, now);
                        if !self.is_over() {
                            // Now it passes.
                            self.request_body(bytes, end, now);
                        }
                    }
                }
            }
            RequestSide::Awaiting(due, head, api) => {
                let limit = self.picker.config().limits.request_body;
                if bytes.len() as u64 > limit.0 && !self.response.has_begun() {
                    self.refuse_too_large(limit);
                    return;
                }
                let asks = self.asks_session();
                let answer = with_content(api, &bytes, asks, |content| {
                    self.pick(&head, &Seen::Content(content, bytes.len()), false, now)
                });
                if let Some(answer) = answer {
                    self.request = RequestSide::Answered(Some(due.end_with(&mut self.out, answer)));
                }
            }
            RequestSide::Passing(due) if end => {
                self.request = RequestSide::Answered(Some(due.end(&mut self.out, bytes)));
            }
            RequestSide::Passing(mut due) => {
                due.pass(&mut self.out, bytes);
                self.request = RequestSide::Passing(due);
            }
            RequestSide::Answered(done) => {
                // Envoy can deliver the last chunk twice (envoy#46237); passing it on would corrupt the body.
                self.picker.metrics().duplicate_chunks.inc();
                if let Some(done) = &done {
                    done.again(&mut self.out);
                }
                self.request = RequestSide::Answered(done);
            }
        }
    }

    /// Trailers end the body; a gateway hangs until they are answered.
    pub(super) fn request_trailers(&mut self, now: Now) {
        match self.request.take() {
            RequestSide::Start(due) => {
                due.skip(false).end_without_body().trailers(&mut self.out);
            }
            RequestSide::Keeping { due, head, api, body, .. } => {
                self.decide(due, &head, api, body, false, now);
                if !self.is_over() {
                    self.request_trailers(now);
                }
            }
            // Trailers alone cannot carry a destination; the gateway's own fallback decides.
            RequestSide::Awaiting(due, ..) | RequestSide::Passing(due) => {
                due.end_without_body().trailers(&mut self.out)
            }
            RequestSide::Answered(done) => {
                if let Some(done) = done {
                    done.trailers(&mut self.out);
                }
            }
        }
    }

    /// The body comes too late, or not at all: pick without it, and pass on what comes.
    pub(super) fn request_is_late(&mut self, cause: EarlyLabel, now: Now) {
        match self.request.take() {
            RequestSide::Keeping { due, head, body, .. } => self.pick_without_body(due, &head, body, cause, now),
            other => self.request = other,
        }
    }

    /// The body is complete: read it, pick, answer, pass it on; `end` flags its last piece.
    fn decide(
        &mut self,
        due: HeadersDue<ToEndpoint>,
        head: &RequestHead,
        api: Api,
        body: KeptBody,
        end: bool,
        now: Now,
    ) {
        let asks = self.asks_session();
        let answer = body.read(|bytes| {
            with_content(api, bytes, asks, |content| self.pick(head, &Seen::Content(content, bytes.len()), false, now))
        });
        let Some(answer) = answer else { return };
        let mut due = due.answer(&mut self.out, answer, true);
        self.request = if end {
            let (done, lease) = body.end(due, &mut self.out);
            self.leaving = Some(lease);
            RequestSide::Answered(Some(done))
        } else {
            self.leaving = Some(body.pass(&mut due, &mut self.out));
            RequestSide::Passing(due)
        };
    }

    fn pick_without_body(
        &mut self,
        due: HeadersDue<ToEndpoint>,
        head: &RequestHead,
        body: KeptBody,
        cause: EarlyLabel,
        now: Now,
    ) {
        self.picker.metrics().early.of(cause).inc();
        // The rest of the body may name the session, and an id of ours would outrank that from now on.
        self.may_be_named = self.asks_session();
        if let Some(answer) = self.pick(head, &Seen::Nothing, false, now) {
            let mut due = due.answer(&mut self.out, answer, true);
            self.leaving = Some(body.pass(&mut due, &mut self.out));
            self.request = RequestSide::Passing(due);
        }
    }

    fn answer_headers(&mut self, due: HeadersDue<ToEndpoint>, answer: RequestAnswer, end: bool) {
        let duplex = self.request_is_duplex();
        let due = due.answer(&mut self.out, answer, duplex);
        self.request = if end || self.modes.request == BodyMode::None {
            RequestSide::Answered(Some(due.end_without_body()))
        } else {
            RequestSide::Passing(due)
        };
    }

    /// Picks and holds the booking; refuses, and returns `None`, where nothing is eligible.
    ///
    /// A response that has begun, a local reply of the gateway for one, leaves nothing to pick and nothing to
    /// refuse: the rest of the request passes.
    fn pick(&mut self, head: &RequestHead, seen: &Seen<'_>, no_body: bool, now: Now) -> Option<RequestAnswer> {
        let strip = head.strip.clone();
        if self.response.has_begun() {
            return Some(RequestAnswer { strip, ..RequestAnswer::default() });
        }
        if let Seen::Content(content, bytes) = seen {
            self.identity.settle(content.session, false);
            if content.invalid_session {
                self.picker.metrics().invalid_session_ids.inc();
            }
            if content.fault == Some(Fault::Malformed) && *bytes > 0 {
                self.picker.metrics().malformed_bodies.inc();
            }
            if let Some(fault) = content.fault.filter(|_| self.picker.config().limits.strict) {
                self.refuse(400, RefusalLabel::Invalid, format!("{fault} (limits.strict)"), None);
                return None;
            }
        }
        self.identity.settle(None, self.generates());
        let mut request = self.facts(head, seen);
        if no_body {
            request.unread_bytes = Some(0);
        }
        match self.picker.pick(&request, now) {
            Ok(picked) => {
                if self.options.explain_header {
                    self.explanation = Some(picked.decision().to_string().into());
                }
                let destination = Some(Bytes::from_owner(Arc::<[u8]>::from(picked.destination())));
                let Options { clear_route_cache, conformance_test_headers, .. } = self.options;
                let set = conformance_test_headers.then(|| conformance::echo(&picked));
                self.picked = Some(picked);
                Some(RequestAnswer { destination, clear_route_cache, strip, set })
            }
            Err(refusal) => {
                let (status, label, retry_after) = sentence(&refusal);
                self.refuse(status, label, refusal.to_string(), retry_after);
                None
            }
        }
    }

    fn refuse_too_large(&mut self, limit: ByteSize) {
        self.may_be_named = self.asks_session();
        let message = format!("the request body is larger than {limit} (limits.requestBody)");
        self.refuse(413, RefusalLabel::BodyTooLarge, message, None);
    }

    /// Whether the body may say whose session this is.
    fn asks_session(&self) -> bool {
        self.picker.config().sessions.catalogue && !self.identity.is_named()
    }

    fn selects_nobody(&self, head: &RequestHead) -> bool {
        self.subset.is_some() && self.picker.has_nobody_for(&self.facts(head, &Seen::Nothing))
    }

    fn facts<'a>(&'a self, head: &'a RequestHead, seen: &Seen<'a>) -> Request<'a> {
        let (prompt, unread_bytes) = match *seen {
            Seen::Content(Content { prompt: Some(prompt), .. }, _) => (Some(prompt), None),
            Seen::Content(_, bytes) => (None, Some(bytes as u64)),
            Seen::Nothing => (None, head.content_length),
        };
        Request {
            id: head.id.as_deref(),
            session: self.identity.hint(),
            subset: self.subset.as_ref(),
            prompt,
            unread_bytes,
        }
    }

    fn meet(&mut self, head: &mut RequestHead) {
        let metrics = self.picker.metrics();
        if head.identity.invalid {
            metrics.invalid_session_ids.inc();
        }
        metrics.repeated_session_headers.inc_by(head.identity.repeated);
        metrics.stripped_headers.inc_by(head.strip.len() as u64);
        if self.options.conformance_test_headers {
            head.strip.push(conformance::SELECTION);
        }
        self.identity = std::mem::take(&mut head.identity);
        self.is_grpc = head.is_grpc;
        self.met = true;
    }
}

/// How a refusal is told: status, reason, and when to come back.
fn sentence(refusal: &Refusal) -> (u16, RefusalLabel, Option<Duration>) {
    match *refusal {
        Refusal::NoEndpoints | Refusal::Subset => (503, RefusalLabel::NoEndpoints, None),
        Refusal::Saturated { retry_after, .. } => (429, RefusalLabel::Saturated, Some(retry_after)),
    }
}
