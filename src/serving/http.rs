//! A small HTTP server for scraping, probes and the admin pages; beside the pages it can speak gRPC.
//!
//! [`serve`] and [`serve_with_grpc`] are the entries. It runs on the main thread's runtime, so that it answers
//! while the data side is saturated.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::service::Routes;

use super::{grpc, listen};

/// Answers one request, at once: it may not wait for anything.
pub type Handler = Arc<dyn Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync>;

/// How long a client may take for its first byte, which tells HTTP/1 and HTTP/2 apart.
const FIRST_BYTE: Duration = Duration::from_secs(30);

/// Bytes that wait for one slow reader of a gRPC stream; nothing more is made for it meanwhile.
const SEND_BUFFER: usize = 64 << 10;

/// Answers every request with this handler, over HTTP/1, for as long as it is polled.
pub async fn serve(listener: TcpListener, handler: Handler) -> Infallible {
    loop {
        let connection = listen::accept(&listener).await;
        tokio::spawn(answer(connection, handler.clone()));
    }
}

/// The same over HTTP/1 and HTTP/2, both without TLS, with these gRPC services on the same port.
pub async fn serve_with_grpc(listener: TcpListener, handler: Handler, routes: Routes) -> Infallible {
    let routes = routes.prepare();
    loop {
        let connection = listen::accept(&listener).await;
        tokio::spawn(answer_both(connection, handler.clone(), routes.clone()));
    }
}

async fn answer(connection: TcpStream, handler: Handler) {
    let service = service_fn(|request| {
        let response = handler(&request);
        async { Ok::<_, Infallible>(response) }
    });
    // The timer arms hyper's limit on how long a client may take for its head.
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(connection), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "HTTP connection failed");
    }
}

async fn answer_both(connection: TcpStream, handler: Handler, routes: Routes) {
    if tokio::time::timeout(FIRST_BYTE, connection.readable()).await.is_err() {
        return;
    }
    let service = service_fn(|request: Request<Incoming>| {
        if is_grpc(&request) {
            Either::Left(routes.clone().call(request))
        } else {
            Either::Right(ready(Ok(handler(&request).map(Body::new))))
        }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(grpc::KEEPALIVE_INTERVAL))
        .keep_alive_timeout(grpc::KEEPALIVE_TIMEOUT)
        .max_send_buf_size(SEND_BUFFER);
    if let Err(error) = server.serve_connection(TokioIo::new(connection), service).await {
        tracing::debug!(%error, "HTTP connection failed");
    }
}

/// Pages are read over HTTP/2 too, so the version alone does not tell.
fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    request.version() == Version::HTTP_2 && kind.starts_with(b"application/grpc")
}
