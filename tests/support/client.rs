//! A client that sees what arrives piece by piece, and can go away at any time.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::body::Body;
use super::wait::within;

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    pub const BOTH: [Self; 2] = [Self::Http1, Self::Http2];
}

/// One connection; dropping it closes it, whatever it carries.
pub struct Connection {
    sender: Sender,
    driver: JoinHandle<()>,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// An answer that has been read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

// === impl Connection ===

impl Connection {
    /// Connects; the result is `None` where nobody listens.
    pub async fn open(address: SocketAddr, protocol: Protocol) -> Option<Self> {
        Self::over(TcpStream::connect(address).await.ok()?, protocol).await
    }

    /// The same over a socket that is connected.
    pub async fn over(socket: TcpStream, protocol: Protocol) -> Option<Self> {
        socket.set_nodelay(true).ok()?;
        let io = TokioIo::new(socket);
        let (sender, driver) = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.ok()?;
                (Sender::Http1(sender), tokio::spawn(async move { drop(connection.await) }))
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.ok()?;
                (Sender::Http2(sender), tokio::spawn(async move { drop(connection.await) }))
            }
        };
        Some(Self { sender, driver })
    }

    /// Sends a request; the answer's body is still to be read.
    pub async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(absolute(request)).await,
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn exchange(&mut self, request: Request<Body>) -> Reply {
        let what = format!("an answer to {} {}", request.method(), request.uri());
        within(&what, async {
            let response = self.send(request).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            Reply::read(response).await.unwrap_or_else(|error| panic!("{what}: {error}"))
        })
        .await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// HTTP/2 has no host line; the authority comes from the address of the request.
fn absolute(mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("http://gateway.test{path}").parse().expect("a path makes an address");
    request.headers_mut().remove(http::header::HOST);
    request
}

// === impl Reply ===

impl Reply {
    /// The answer to one request over a connection of its own; `None` where there is none, as probes want it.
    pub async fn to(address: SocketAddr, request: Request<Body>) -> Option<Self> {
        let mut connection = Connection::open(address, Protocol::Http1).await?;
        Self::read(connection.send(request).await.ok()?).await.ok()
    }

    /// Reads an answer to its end.
    pub async fn read(response: Response<Incoming>) -> hyper::Result<Self> {
        let (parts, body) = response.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned();
        Ok(Self { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers })
    }

    /// A header's value; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of plain text"))
    }

    /// The engine that answered, by its own word; empty where none did.
    pub fn served_by(&self) -> &str {
        self.header("x-served-by")
    }

    /// The engine that Homing says it picked, and why; where it was not told to say so there is neither.
    pub fn picked(&self) -> Option<(&str, &str)> {
        let (_, told) = self.header("x-homing-decision").rsplit_once("picked ")?;
        told.strip_suffix(')')?.split_once(" (")
    }

    /// The session id that came back.
    pub fn session(&self) -> &str {
        self.header("x-session-id")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The reply itself, once it is sure that it is a good one.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{:?} {:?}", self.headers, self.body);
        self
    }
}
