//! What sharing costs where there are no requests: heartbeats, and who waits for them.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::pickers::{Kind, Picker, Setup};

use super::valkey::Valkey;

const SETTLE: Duration = Duration::from_secs(3);

/// Measures two replicas that share, beside one that does not.
pub async fn measure(length: Duration) -> anyhow::Result<String> {
    eprintln!("without requests, {} s", (SETTLE + length).as_secs());
    let valkey = Valkey::start().await?;
    let alone = Setup::with_endpoints((1..=8).map(|n| ([127, 0, 0, 1], 20_000 + n).into()));
    let sharing = Setup { shared_state: Some(valkey.url()), ..alone.clone() };
    let pickers = [&alone, &sharing, &sharing].map(|setup| Picker::start(Kind::Homing, setup));
    let [alone, one, other] = pickers;
    let pickers = [alone?, one?, other?];
    sleep(SETTLE).await;
    let spent = || pickers.each_ref().map(|picker| picker.cpu_time().unwrap_or_default());
    let (began, before, valkey_before) = (Instant::now(), spent(), valkey.spent().await?);
    sleep(length).await;
    let (after, took) = (spent(), began.elapsed().as_secs_f64());
    let valkey = valkey.spent().await?.since(valkey_before);
    let [alone, one, other] = [0, 1, 2].map(|which| (after[which] - before[which]).as_secs_f64() / took);
    Ok(format!(
        "Without requests, over {} s: of a core, a replica that shares with one other takes {:.4}, one that does not share {alone:.4}, \
         and Valkey {:.4}. Valkey takes in {:.1} KB/s and hands out {:.1} KB/s.\n\n",
        length.as_secs(),
        f64::midpoint(one, other),
        valkey.cpu.as_secs_f64() / took,
        valkey.bytes_in as f64 / took / 1e3,
        valkey.bytes_out as f64 / took / 1e3,
    ))
}
