//! What it costs one Homing to take in the news of others, and Valkey to hand them round.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use homing::sources::shared_state::{self, Server, Settings};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::memory::mb;
use crate::pickers::{Kind, Picker, Setup, name};

use super::lag::Lag;
use super::peer::{BLOCKS, CACHE_TOKENS, Conversations, Count, KNOWN, PICKS_PER_SECOND, Peer};
use super::valkey::Valkey;

const ENDPOINTS: u16 = 16;
/// Others, of which the last is what the budgets are for.
const OTHERS: [u64; 3] = [2, 4, 8];
const BUDGET_CORE: f64 = 0.1;
const BUDGET_MB: f64 = 50.0;
/// What `homing serve` does where nothing else is said.
const INTERVAL: Duration = Duration::from_millis(50);
const LOG: u64 = 32 << 20;

/// What came of one number of others.
struct Heard {
    line: String,
    core: f64,
    grown: f64,
}

/// Measures each number of others.
pub async fn measure(warm_up: Duration, length: Duration) -> anyhow::Result<String> {
    let mut lines = String::new();
    let mut last = None;
    for others in OTHERS {
        eprintln!("{others} others, {} s", (warm_up + length).as_secs());
        let heard = LocalSet::new().run_until(hear(others, warm_up, length)).await?;
        eprintln!("{}", heard.line.trim_end());
        lines.push_str(&heard.line);
        last = Some(heard);
    }
    let Some(Heard { core, grown, .. }) = last else { return Ok(lines) };
    let met = |is: bool| if is { "met" } else { "missed" };
    Ok(format!(
        "One Homing without requests takes in what others tell, each of which picks {PICKS_PER_SECOND} times a second among {ENDPOINTS} endpoints: \
         prompts of {BLOCKS} blocks (32 KB, about 8,000 tokens) with a session, of which {KNOWN} blocks are their conversation's. An engine's cache holds {CACHE_TOKENS} tokens. Over {} s; all of \
         them read and write.\n\n\
         | others | of each: messages/s | KB/s | blocks told a pick | all told again, times | heard, KB/s | share of a core | grown by, MB | lag p50 / p99, ms | Valkey: share of a core | in, MB/s | out, MB/s | memory, MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n{lines}\n\
         With the most others: budget {BUDGET_CORE} core: {}; budget {BUDGET_MB:.0} MB: {}.\n\n",
        length.as_secs(),
        met(core <= BUDGET_CORE),
        met(grown <= BUDGET_MB),
    ))
}

async fn hear(others: u64, warm_up: Duration, length: Duration) -> anyhow::Result<Heard> {
    let valkey = Valkey::start().await?;
    let addresses: Vec<SocketAddr> = (1..=ENDPOINTS).map(|n| ([127, 0, 0, 1], 20_000 + n).into()).collect();
    let setup = Setup {
        config: "engineMetrics: {enabled: false}\nprefixIndex: {defaultCacheTokens: 5000000}\n",
        shared_state: Some(valkey.url()),
        ..Setup::with_endpoints(addresses.iter().copied())
    };
    let homing = Picker::start(Kind::Homing, &setup)?;
    // Its threads have begun, and nothing is heard yet.
    sleep(Duration::from_secs(1)).await;
    let (empty, _) = homing.resident()?;

    let named: Vec<_> = addresses.iter().map(|address| (name(address), *address)).collect();
    let conversations = Rc::new(Conversations::new());
    let server = Server::new(&[valkey.url()], shared_state::Kind::One, None, None).map_err(anyhow::Error::msg)?;
    let settings = Settings { group: super::GROUP.to_owned(), interval: INTERVAL, log_bytes: LOG };
    let mut tasks = Vec::new();
    let peers: Vec<_> = (1..=others).map(|number| Rc::new(Peer::new(number, &named))).collect();
    for peer in &peers {
        let (peer, server, settings) = (Rc::clone(peer), server.clone(), settings.clone());
        let conversations = Rc::clone(&conversations);
        tasks.push(tokio::task::spawn_local(async move {
            tokio::join!(peer.pick(&conversations), shared_state::follow(&server, &settings, &*peer))
        }));
        // Replicas do not tell all at once.
        sleep(INTERVAL / others as u32).await;
    }
    sleep(warm_up).await;

    let again = || peers.iter().map(|peer| peer.told_again()).sum::<u64>();
    let told = || peers.iter().map(|peer| peer.count()).fold(Count::default(), Count::plus);
    let received = "homing_shared_state_bytes_total{direction=\"received\"}";
    let (lag_before, heard) = (Lag::read(&homing)?, homing.count(received)?);
    let again_before = again();
    let (began, spent, before, told_before) = (Instant::now(), homing.cpu_time()?, valkey.spent().await?, told());
    sleep(length).await;
    let spent = (homing.cpu_time()? - spent).as_secs_f64();
    let took = began.elapsed().as_secs_f64();
    let (valkey, told) = (valkey.spent().await?.since(before), told().minus(told_before));
    let (heard, again) = (homing.count(received)? - heard, again() - again_before);
    let (lag, (full, _)) = (Lag::read(&homing)?, homing.resident()?);

    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    anyhow::ensure!(homing.count("homing_shared_state_replicas")? == others as f64, "it does not hear all of them");
    let picks = told.picks as f64 / took / others as f64;
    anyhow::ensure!(picks > 0.98 * f64::from(PICKS_PER_SECOND), "only {picks:.0} picks/s: this machine is too slow");
    let (core, grown) = (spent / took, mb(full) - mb(empty));
    let of_one = |count: u64| count as f64 / took / others as f64;
    let line = format!(
        "| {others} | {:.0} | {:.0} | {:.1} | {again} | {:.0} | {core:.3} | {grown:.1} | {:.0} / {:.0} | {:.3} | {:.2} | {:.2} | {:.0} |\n",
        of_one(told.messages),
        of_one(told.bytes) / 1e3,
        told.blocks as f64 / told.picks as f64,
        heard / took / 1e3,
        lag.millis(&lag_before, 0.5),
        lag.millis(&lag_before, 0.99),
        valkey.cpu.as_secs_f64() / took,
        valkey.bytes_in as f64 / took / 1e6,
        valkey.bytes_out as f64 / took / 1e6,
        mb(valkey.memory),
    );
    Ok(Heard { line, core, grown })
}
