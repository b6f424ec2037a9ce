//! A gateway's side of the streams, without a gateway: so many requests in flight over two connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tonic::transport::{Channel, Endpoint};

use crate::exchange::Exchange;
use crate::requests::{Scripted, short_response};

pub const CONNECTIONS: usize = 2;

/// Connections to one picker.
#[derive(Debug)]
pub struct Client {
    connections: Vec<Channel>,
}

/// What came of driving a picker: how long each request took, in microseconds.
#[derive(Debug)]
pub struct Driven {
    pub latencies: Vec<u32>,
}

/// One connection.
pub async fn connection(address: SocketAddr) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .tcp_nodelay(true);
    Ok(endpoint.connect().await?)
}

// === impl Client ===

impl Client {
    /// Opens its connections.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { connections: try_join_all((0..CONNECTIONS).map(|_| connection(address))).await? })
    }

    /// Every request once, each with a whole response: what the picker learns from an answer, it has learned.
    pub async fn warm_up(&self, corpus: &[Scripted]) -> anyhow::Result<()> {
        let answered = short_response();
        for (scripted, connection) in corpus.iter().zip(self.connections.iter().cycle()) {
            let mut exchange = request(connection, scripted).await?;
            exchange.response(if scripted.response.is_empty() { &answered } else { &scripted.response }).await?;
        }
        Ok(())
    }

    /// Requests of the corpus for this long, so many at once. None is under way before or after.
    pub async fn drive(&self, corpus: &[Scripted], in_flight: usize, length: Duration) -> anyhow::Result<Driven> {
        let end = Instant::now() + length;
        let workers = (0..in_flight).map(|worker| async move {
            let connection = &self.connections[worker % CONNECTIONS];
            let mut latencies = Vec::with_capacity(4_096);
            for scripted in corpus.iter().cycle().skip(worker) {
                let began = Instant::now();
                if began >= end {
                    break;
                }
                request(connection, scripted).await?.response(&scripted.response).await?;
                latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            anyhow::Ok(latencies)
        });
        Ok(Driven { latencies: try_join_all(workers).await?.concat() })
    }
}

/// A request, until all of it has come back.
async fn request(connection: &Channel, scripted: &Scripted) -> anyhow::Result<Exchange> {
    let mut exchange = Exchange::open(connection, &scripted.request).await?;
    exchange.picked().await?;
    if let Some(bytes) = scripted.body {
        exchange.passed(bytes).await?;
    }
    Ok(exchange)
}
