//! What sharing adds to a pick: with and without it in turn, round after round.

use std::time::Duration;

use tokio::time::sleep;

use crate::load::Client;
use crate::pickers::{Kind, Picker, Setup};
use crate::requests;
use crate::rows::IN_FLIGHT;
use crate::statistics::median;

use super::valkey::Valkey;

const ENDPOINTS: u16 = 8;
const BODY: usize = 1 << 10;
const BUDGET_US: f64 = 1.0;

/// What is asked, and events of the answer: a session is told when its answer begins, and when it has ended.
const WORK: [(&str, Option<usize>); 2] = [("`1KB`", None), ("`1KB` and an answer", Some(1))];

/// What was told last is told within this time.
const TOLD: Duration = Duration::from_millis(200);

/// The processes.
struct Processes {
    alone: Picker,
    sharing: Picker,
    /// Another replica that shares, and gets no requests.
    hearing: Picker,
    valkey: Valkey,
}

/// Microseconds of CPU a pick, in one round.
#[derive(Debug, Default)]
struct Round {
    alone: [f64; 2],
    sharing: f64,
    hearing: f64,
    valkey: f64,
}

/// Measures it with one more replica that only listens.
pub async fn measure(rounds: usize, length: Duration) -> anyhow::Result<String> {
    let processes = Processes::start().await?;
    let mut lines = String::new();
    for (name, chunks) in WORK {
        let line = processes.line(name, chunks, rounds, length).await?;
        eprintln!("{}", line.trim_end());
        lines.push_str(&line);
    }
    Ok(format!(
        "CPU time of a pick in us, {ENDPOINTS} endpoints, {IN_FLIGHT} in flight, one more replica that only listens; medians over {rounds} rounds. In each \
         round, Homing without sharing is measured before and after the one that shares; how far these two are apart is the noise.\n\n\
         | work | without sharing | with it | added | budget | met | noise | bytes told | the other replica | Valkey | picks/s |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n{lines}\n",
    ))
}

impl Processes {
    async fn start() -> anyhow::Result<Self> {
        let valkey = Valkey::start().await?;
        let alone = Setup::with_endpoints((1..=ENDPOINTS).map(|n| ([127, 0, 0, 1], 20_000 + n).into()));
        let sharing = Setup { shared_state: Some(valkey.url()), ..alone.clone() };
        let start = |setup| Picker::start(Kind::Homing, setup);
        Ok(Self { alone: start(&alone)?, sharing: start(&sharing)?, hearing: start(&sharing)?, valkey })
    }

    async fn line(&self, name: &str, chunks: Option<usize>, rounds: usize, length: Duration) -> anyhow::Result<String> {
        let corpus = requests::corpus(Some(BODY), chunks);
        let alone = Client::connect(self.alone.address()).await?;
        let sharing = Client::connect(self.sharing.address()).await?;
        for client in [&alone, &sharing] {
            client.warm_up(&corpus).await?;
        }
        let sent = || self.sharing.count("homing_shared_state_bytes_total{direction=\"sent\"}");
        let (mut measured, mut picks, told) = (Vec::new(), 0, sent()?);
        for _ in 0..rounds {
            let mut round = Round::default();
            for turn in 0..3 {
                let (picker, client) = if turn == 1 { (&self.sharing, &sharing) } else { (&self.alone, &alone) };
                let before = self.spent(picker)?;
                let done = client.drive(&corpus, IN_FLIGHT, length).await?.latencies.len();
                if turn == 1 {
                    sleep(TOLD).await;
                    picks += done;
                }
                let after = self.spent(picker)?;
                let each = |which: usize| (after[which] - before[which]).as_secs_f64() * 1e6 / done as f64;
                match turn {
                    1 => (round.sharing, round.hearing, round.valkey) = (each(0), each(1), each(2)),
                    _ => round.alone[turn / 2] = each(0),
                }
            }
            measured.push(round);
        }
        let bytes = (sent()? - told) / picks as f64;
        let of = |value: fn(&Round) -> f64| median(measured.iter().map(value));
        let added = of(|round| round.sharing - round.without());
        Ok(format!(
            "| {name} | {:.2} | {:.2} | {added:.2} | {BUDGET_US:.0} | {} | {:.2} | {bytes:.0} | {:.2} | {:.2} | {:.0} |\n",
            of(Round::without),
            of(|round| round.sharing),
            if added <= BUDGET_US { "yes" } else { "no" },
            of(|round| (round.alone[1] - round.alone[0]).abs()),
            of(|round| round.hearing),
            of(|round| round.valkey),
            picks as f64 / (rounds as f64 * length.as_secs_f64()),
        ))
    }

    /// CPU time of one picker, of the replica that listens, and of Valkey.
    fn spent(&self, picker: &Picker) -> anyhow::Result<[Duration; 3]> {
        Ok([picker.cpu_time()?, self.hearing.cpu_time()?, self.valkey.cpu_time()?])
    }
}

impl Round {
    /// What drifts within the round is in the mean of both.
    fn without(&self) -> f64 {
        f64::midpoint(self.alone[0], self.alone[1])
    }
}
