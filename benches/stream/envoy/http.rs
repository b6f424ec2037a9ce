//! The clients in front of Envoy and the engine behind it, both in HTTP/1 over connections that stay.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// The answer of every engine, of about the length of a short chat's. Not much shorter: h2 writes frames below 256 bytes
/// together, and the session header that only Homing returns would decide whether an answer is one of them.
pub const ANSWER: [u8; 600] = [b'x'; 600];

/// Answers at every address of this machine, on one port.
pub async fn engine() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answering = service_fn(answer);
            // Envoy closes what it does not need any more.
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answering));
        }
    });
    Ok(port)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // An engine reads its prompt before it answers.
    let _ = request.into_body().collect().await;
    Ok(Response::new(Full::new(Bytes::from_static(&ANSWER))))
}

/// Chats with these bodies for this long over so many connections; how long each took, in microseconds.
pub async fn drive(
    gateway: SocketAddr,
    bodies: &[Vec<u8>],
    in_flight: usize,
    length: Duration,
) -> anyhow::Result<Vec<u32>> {
    let end = Instant::now() + length;
    let clients = (0..in_flight).map(|client| async move {
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut took = Vec::with_capacity(4_096);
        for (session, body) in bodies.iter().enumerate().cycle().skip(client) {
            let began = Instant::now();
            if began >= end {
                break;
            }
            let request = Request::post("/v1/chat/completions")
                .header("host", "gateway.example")
                .header("content-type", "application/json")
                .header("x-session-id", format!("bench-session-{session}"))
                .body(Full::new(Bytes::copy_from_slice(body)))?;
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            ensure!(response.status().is_success(), "the gateway says {}", response.status());
            let answer = response.into_body().collect().await?.to_bytes();
            ensure!(answer.len() == ANSWER.len(), "an answer of {} bytes", answer.len());
            took.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        anyhow::Ok(took)
    });
    Ok(try_join_all(clients).await?.concat())
}
