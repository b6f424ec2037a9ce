//! A small HTTP/1 server for scraping, probes and the admin pages. [`serve`] is the one entry.
//!
//! It runs on the main thread's runtime, so that it answers while the data side is saturated.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::listen;

/// Answers one request, at once: it may not wait for anything.
pub type Handler = Arc<dyn Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync>;

/// Answers every request with this handler, for as long as it is polled.
pub async fn serve(listener: TcpListener, handler: Handler) -> Infallible {
    loop {
        let connection = listen::accept(&listener).await;
        tokio::spawn(answer(connection, handler.clone()));
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
