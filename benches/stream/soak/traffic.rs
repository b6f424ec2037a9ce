//! One worker's requests: of all kinds, and cut off in all phases.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::exchange::Exchange;
use crate::load::connection;
use crate::requests::{Scripted, response, scripted};

/// More than the table keeps.
const SESSIONS: usize = 50_000;

/// A connection is used for so many requests.
const REQUESTS_PER_CONNECTION: usize = 2_000;

/// Sizes of bodies and chunks of responses, each with its weight; what is left of 100 are GETs.
const KINDS: [(u32, usize, usize); 4] = [(45, 1 << 10, 2), (20, 32 << 10, 2), (3, 256 << 10, 2), (15, 1 << 10, 50)];

/// Of 100 requests so many are cut off.
const CUT_OFF: u32 = 33;

/// What was done so far, by all workers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub requests: u64,
    pub cut_off: u64,
}

/// Where a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Headers,
    Body,
    Sent,
    Picked,
    Response,
    Whole,
}

/// Requests until `end`; every answer is checked.
pub async fn drive(address: SocketAddr, seed: u64, end: Instant, count: &Cell<Count>) -> anyhow::Result<()> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    loop {
        let connection = connection(address).await?;
        for _ in 0..REQUESTS_PER_CONNECTION {
            if Instant::now() >= end {
                return Ok(());
            }
            let phase = match random.random_range(0..100_u32) {
                cut if cut < CUT_OFF => [Phase::Headers, Phase::Body, Phase::Sent, Phase::Picked, Phase::Response]
                    [random.random_range(0..5)],
                _ => Phase::Whole,
            };
            let request = request(&mut random);
            let cut_at = random.random_range(0..=request.request.len() + request.response.len());
            exchange(&connection, &request, phase, cut_at).await?;
            let Count { requests, cut_off } = count.get();
            count.set(Count { requests: requests + 1, cut_off: cut_off + u64::from(phase != Phase::Whole) });
        }
    }
}

fn request(random: &mut Pcg64Mcg) -> Scripted {
    let (session, mut at) = (random.random_range(0..SESSIONS), random.random_range(0..100_u32));
    for (weight, bytes, chunks) in KINDS {
        if at < weight {
            return scripted(session, Some(bytes), Some(chunks));
        }
        at -= weight;
    }
    Scripted { response: response(1), ..scripted(session, None, None) }
}

/// As far as the phase says. Dropped, it is reset.
async fn exchange(
    connection: &tonic::transport::Channel,
    scripted: &Scripted,
    phase: Phase,
    cut_at: usize,
) -> anyhow::Result<()> {
    let sent = match phase {
        Phase::Headers => 1,
        Phase::Body => 1 + cut_at % scripted.request.len(),
        Phase::Sent | Phase::Picked | Phase::Response | Phase::Whole => scripted.request.len(),
    };
    let mut exchange = Exchange::open(connection, &scripted.request[..sent]).await?;
    if matches!(phase, Phase::Headers | Phase::Body | Phase::Sent) {
        return Ok(());
    }
    exchange.picked().await?;
    if phase == Phase::Picked {
        return Ok(());
    }
    if let Some(bytes) = scripted.body {
        exchange.passed(bytes).await?;
    }
    let answered = match phase {
        Phase::Response => cut_at % scripted.response.len(),
        _ => scripted.response.len(),
    };
    exchange.response(&scripted.response[..answered]).await
}
