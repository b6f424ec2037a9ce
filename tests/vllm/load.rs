//! A burst past the gateway at one replica: what its metrics say, and what Homing makes of them.
//!
//! Homing has booked nothing then, so all that it says of the replica's load is what it has read.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::chat::{Asker, Message};
use crate::counters::{Gauges, Page};
use crate::http;

/// Requests of the burst; the replica runs 16 at once.
const BURST: usize = 64;
const LOOK: Duration = Duration::from_millis(200);
/// In this Homing has to see that all is over.
const CALM: Duration = Duration::from_secs(15);

/// What Homing's admin port says of an endpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub name: String,
    pub engine: Option<String>,
    pub waiting_tokens: f64,
    pub in_flight: u32,
    pub kv_usage: Option<f64>,
    pub capacity_blocks: u64,
    pub scrape_age: Option<f64>,
}

/// The most that each said during the burst, and what Homing says after it.
#[derive(Clone, Debug, Serialize)]
pub struct Burst {
    pub engine: Gauges,
    pub homing_in_flight: u32,
    pub homing_waiting_tokens: f64,
    pub homing_kv_usage: f64,
    pub looks: usize,
    pub after: Endpoint,
}

/// All endpoints, by Homing.
pub async fn endpoints(admin: SocketAddr) -> anyhow::Result<Vec<Endpoint>> {
    Ok(serde_json::from_str(&http::get(admin, "/endpoints").await?)?)
}

/// Sends the burst to `replica`, which Homing calls `name`.
pub async fn burst(
    replica: SocketAddr,
    name: &str,
    admin: SocketAddr,
    asker: &Asker,
    text: &str,
) -> anyhow::Result<Burst> {
    let mut asked = JoinSet::new();
    for number in 0..BURST {
        let asker = asker.clone();
        let messages = [Message { role: "user", content: format!("{number}: {text}") }];
        asked.spawn(async move { asker.ask(None, &messages).await });
    }
    let (mut most, mut looks) = (Gauges::default(), 0);
    let (mut in_flight, mut waiting_tokens, mut kv_usage) = (0, 0.0_f64, 0.0_f64);
    while !asked.is_empty() {
        let gauges = Page::of(replica).await?.gauges();
        most.running = most.running.max(gauges.running);
        most.waiting = most.waiting.max(gauges.waiting);
        most.kv_usage = most.kv_usage.max(gauges.kv_usage);
        let seen = endpoint(admin, name).await?;
        in_flight = in_flight.max(seen.in_flight);
        waiting_tokens = waiting_tokens.max(seen.waiting_tokens);
        kv_usage = kv_usage.max(seen.kv_usage.unwrap_or(0.0));
        looks += 1;
        while let Some(answered) = asked.try_join_next() {
            answered.context("a request panicked")??;
        }
        sleep(LOOK).await;
    }
    let deadline = Instant::now() + CALM;
    let after = loop {
        let seen = endpoint(admin, name).await?;
        let calm = seen.in_flight == 0 && seen.waiting_tokens == 0.0 && seen.kv_usage == Some(0.0);
        if calm || Instant::now() > deadline {
            break seen;
        }
        sleep(LOOK).await;
    };
    Ok(Burst {
        engine: most,
        homing_in_flight: in_flight,
        homing_waiting_tokens: waiting_tokens,
        homing_kv_usage: kv_usage,
        looks,
        after,
    })
}

async fn endpoint(admin: SocketAddr, name: &str) -> anyhow::Result<Endpoint> {
    endpoints(admin).await?.into_iter().find(|it| it.name == name).with_context(|| format!("Homing knows no {name}"))
}
