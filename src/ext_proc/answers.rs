//! Replies in their only order: headers, then body, then trailers.
//!
//! Each value is the right to send what comes next in one direction and is used up by sending it, so a
//! reply out of order, a second answer to headers or a chunk after the end does not compile. Envoy answers
//! such a reply with 500.

use std::marker::PhantomData;

use bytes::Bytes;

/// The largest piece of body in one reply: under every known limit of a gateway's gRPC client.
pub const PIECE_BYTES: usize = 62_000;

/// Replies that wait to be sent.
pub type Out = std::collections::VecDeque<Reply>;

/// One message to the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Answers the request's headers.
    RequestHeaders(RequestAnswer),
    /// Answers the request's body.
    RequestBody(BodyReply),
    /// Answers the request's trailers.
    RequestTrailers,
    /// Answers the response's headers: header names and values to set.
    ResponseHeaders(Vec<(Box<str>, Box<str>)>),
    /// Answers the response's body.
    ResponseBody(BodyReply),
    /// Answers the response's trailers.
    ResponseTrailers,
    /// Refuses the request; nothing follows.
    Refuse(Refusal),
}

/// What an answer to a request's headers carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestAnswer {
    /// `ip:port` to send the request to, or a list of them, in header and metadata; `None` goes on without a
    /// destination yet.
    pub destination: Option<Bytes>,
    /// Whether the gateway looks up the route again, with the destination set.
    pub clear_route_cache: bool,
    /// Headers to take out.
    pub strip: Vec<&'static str>,
    /// One more header for the endpoint.
    pub set: Option<(&'static str, Box<str>)>,
}

/// One piece of body, or its acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyReply {
    /// In duplex mode: bytes, and whether they are the last.
    Piece(Bytes, bool),
    /// In other modes: go on, with what the headers could not yet say.
    Continue(Option<RequestAnswer>),
}

/// An immediate response.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status, 400 or above.
    pub status: u16,
    /// A stable word for the cause, in header, log and body.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
    /// The session header and id to return.
    pub session: Option<(Box<str>, Box<str>)>,
    /// Whole seconds after which to try again.
    pub retry_after: Option<u64>,
    /// Whether the client speaks gRPC.
    pub is_grpc: bool,
}

/// A direction of the exchange.
pub trait Direction {
    /// What an answer to headers carries.
    type Headers;
    /// The reply to headers.
    fn headers(answer: Self::Headers) -> Reply;
    /// The reply to body.
    fn body(body: BodyReply) -> Reply;
    /// The reply to trailers.
    fn trailers() -> Reply;
}

/// From client to endpoint.
#[derive(Debug)]
pub struct ToEndpoint;

/// From endpoint to client.
#[derive(Debug)]
pub struct ToClient;

/// Headers may be answered.
#[derive(Debug)]
#[must_use]
pub struct HeadersDue<D>(PhantomData<D>);

/// Headers are answered; body may follow.
#[derive(Debug)]
#[must_use]
pub struct BodyDue<D> {
    duplex: bool,
    direction: PhantomData<D>,
}

/// The body is answered; only late trailers may follow.
#[derive(Debug)]
#[must_use]
pub struct BodyDone<D> {
    duplex: bool,
    direction: PhantomData<D>,
}

// === impl HeadersDue ===

impl<D: Direction> HeadersDue<D> {
    /// The start of a direction; one for each stream.
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// Answers the headers; the body is answered piece by piece if `duplex`, else message by message.
    pub fn answer(self, out: &mut Out, answer: D::Headers, duplex: bool) -> BodyDue<D> {
        out.push_back(D::headers(answer));
        BodyDue { duplex, direction: PhantomData }
    }

    /// The gateway skips the headers of this direction: body comes first.
    pub fn skip(self, duplex: bool) -> BodyDue<D> {
        BodyDue { duplex, direction: PhantomData }
    }
}

// === impl BodyDue ===

impl<D: Direction> BodyDue<D> {
    /// Answers a chunk that is not the last.
    pub fn pass(&mut self, out: &mut Out, chunk: Bytes) {
        if !self.duplex {
            out.push_back(D::body(BodyReply::Continue(None)));
        } else if !chunk.is_empty() {
            let rest = Self::pieces(out, chunk);
            out.push_back(D::body(BodyReply::Piece(rest, false)));
        }
    }

    /// Answers the last chunk.
    pub fn end(self, out: &mut Out, chunk: Bytes) -> BodyDone<D> {
        if self.duplex {
            let rest = Self::pieces(out, chunk);
            out.push_back(D::body(BodyReply::Piece(rest, true)));
        } else {
            out.push_back(D::body(BodyReply::Continue(None)));
        }
        self.end_without_body()
    }

    /// There is no body, or it does not pass by here.
    pub fn end_without_body(self) -> BodyDone<D> {
        BodyDone { duplex: self.duplex, direction: PhantomData }
    }

    /// Cuts off all but the last piece.
    fn pieces(out: &mut Out, mut chunk: Bytes) -> Bytes {
        while chunk.len() > PIECE_BYTES {
            out.push_back(D::body(BodyReply::Piece(chunk.split_to(PIECE_BYTES), false)));
        }
        chunk
    }
}

impl BodyDue<ToEndpoint> {
    /// Answers a whole body in one message, with what the headers' answer could not say.
    pub fn end_with(self, out: &mut Out, answer: RequestAnswer) -> BodyDone<ToEndpoint> {
        out.push_back(Reply::RequestBody(BodyReply::Continue(Some(answer))));
        self.end_without_body()
    }
}

// === impl BodyDone ===

impl<D: Direction> BodyDone<D> {
    /// A chunk came after the last. In duplex mode that is nobody's to answer; elsewhere the gateway waits for
    /// an answer to every chunk.
    pub fn again(&self, out: &mut Out) {
        if !self.duplex {
            out.push_back(D::body(BodyReply::Continue(None)));
        }
    }

    /// Answers trailers.
    pub fn trailers(self, out: &mut Out) {
        out.push_back(D::trailers());
    }
}

// === impl Direction ===

impl Direction for ToEndpoint {
    type Headers = RequestAnswer;

    fn headers(answer: RequestAnswer) -> Reply {
        Reply::RequestHeaders(answer)
    }

    fn body(body: BodyReply) -> Reply {
        Reply::RequestBody(body)
    }

    fn trailers() -> Reply {
        Reply::RequestTrailers
    }
}

impl Direction for ToClient {
    type Headers = Vec<(Box<str>, Box<str>)>;

    fn headers(answer: Self::Headers) -> Reply {
        Reply::ResponseHeaders(answer)
    }

    fn body(body: BodyReply) -> Reply {
        Reply::ResponseBody(body)
    }

    fn trailers() -> Reply {
        Reply::ResponseTrailers
    }
}
