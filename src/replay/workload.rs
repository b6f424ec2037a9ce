//! Traces out of chance, for those who have none: sessions that come at random, and whose prompts grow.
//!
//! [`Workload::write`] prints one in the format of Mooncake. They are no substitute for a trace of one's own, but show
//! what a policy does to traffic that is unlike the one it was tuned for.

use std::io::{self, Write};

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal, Zipf};
use rand_pcg::Pcg64Mcg;

use super::Seconds;
use super::trace::MOONCAKE_BLOCK;

/// From one token of an answer to the next, as far as that can be foretold; only says when a session asks again.
const TOKEN_TIME: Seconds = 0.025;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Coding agents: long sessions behind few sets of tools, a call every few seconds, nine tenths of each prompt sent before.
    Agents,
    /// Callers of tools: one to three calls behind one of many long prompts of which some are hot.
    Tools,
    /// People who chat: short sessions, long pauses, a short system prompt.
    Chat,
    /// Batch jobs: short prompts that nobody sends twice.
    Batch,
}

/// The numbers of a kind. Lengths are log-normal, given by their median and spread (1 is e-fold).
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Sessions that start in a second.
    starts_per_second: f64,
    /// Different beginnings that sessions share; 0 for none.
    prefixes: u32,
    /// Blocks of each, least and most.
    prefix_blocks: (u64, u64),
    /// How unevenly they are used, as an exponent of Zipf's law.
    zipf: f64,
    /// Turns of a session, least and most.
    turns: (u32, u32),
    /// Tokens of the first question.
    first: (f64, f64),
    /// Tokens that come from outside in each later turn.
    more: (f64, f64),
    /// Tokens of an answer.
    answer: (f64, f64),
    /// From an answer to the next question, on average.
    thinking: Seconds,
}

/// One request of a trace.
struct Line {
    at: Seconds,
    session: u64,
    input_tokens: u64,
    output_tokens: u64,
    ids: Vec<u64>,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Agents, Self::Tools, Self::Chat, Self::Batch];

    /// The name by which people choose it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Tools => "tools",
            Self::Chat => "chat",
            Self::Batch => "batch",
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::Agents => Shape {
                starts_per_second: 0.3,
                prefixes: 6,
                prefix_blocks: (4, 10),
                zipf: 1.0,
                turns: (5, 28),
                first: (1_200.0, 0.7),
                more: (600.0, 1.0),
                answer: (250.0, 0.8),
                thinking: 4.0,
            },
            Self::Tools => Shape {
                starts_per_second: 2.0,
                prefixes: 600,
                prefix_blocks: (2, 16),
                zipf: 0.8,
                turns: (1, 3),
                first: (2_200.0, 1.0),
                more: (400.0, 1.0),
                answer: (120.0, 0.9),
                thinking: 2.0,
            },
            Self::Chat => Shape {
                starts_per_second: 1.5,
                prefixes: 8,
                prefix_blocks: (1, 3),
                zipf: 1.0,
                turns: (1, 9),
                first: (700.0, 1.3),
                more: (150.0, 1.2),
                answer: (250.0, 0.7),
                thinking: 45.0,
            },
            Self::Batch => Shape {
                starts_per_second: 20.0,
                prefixes: 0,
                prefix_blocks: (0, 0),
                zipf: 0.0,
                turns: (1, 1),
                first: (300.0, 0.6),
                more: (0.0, 0.0),
                answer: (100.0, 0.5),
                thinking: 0.0,
            },
        }
    }

    /// Writes the requests of `length` seconds as JSONL, in the order of time. The same seed gives the same bytes.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(self, length: Seconds, seed: u64, to: &mut dyn Write) -> io::Result<()> {
        let mut lines = self.shape().lines(length, seed);
        lines.sort_by(|a, b| a.at.total_cmp(&b.at));
        for Line { at, session, input_tokens, output_tokens, ids } in lines {
            let at = (at * 1000.0) as u64;
            writeln!(
                to,
                r#"{{"timestamp": {at}, "session": "{session}", "input_length": {input_tokens}, "output_length": {output_tokens}, "hash_ids": {ids:?}}}"#
            )?;
        }
        Ok(())
    }
}

impl Shape {
    fn lines(&self, length: Seconds, seed: u64) -> Vec<Line> {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let mut ids = 0..;
        let (least, most) = self.prefix_blocks;
        let prefixes: Vec<Vec<u64>> = (0..self.prefixes)
            .map(|_| ids.by_ref().take(random.random_range(least..=most) as usize).collect())
            .collect();
        let mut lines = Vec::new();
        // Both distributions exist for every shape above.
        let (Ok(gaps), Ok(popular)) =
            (Exp::new(self.starts_per_second), Zipf::new(f64::from(self.prefixes.max(1)), self.zipf))
        else {
            return lines;
        };
        let mut start = 0.0;
        for session in 0.. {
            start += gaps.sample(&mut random);
            if start >= length {
                break;
            }
            let place = popular.sample(&mut random) as usize - 1;
            let prefix = prefixes.get(place).map_or(&[][..], Vec::as_slice);
            self.session(session, start, prefix, &mut ids, &mut random, &mut lines);
        }
        // Who asks after the end is not seen; who asked before the beginning neither: a trace that was cut from a day.
        lines.retain(|line| line.at < length);
        lines
    }

    fn session(
        &self,
        session: u64,
        start: Seconds,
        prefix: &[u64],
        ids: &mut impl Iterator<Item = u64>,
        random: &mut Pcg64Mcg,
        lines: &mut Vec<Line>,
    ) {
        let mut at = start;
        let mut known = prefix.to_vec();
        let mut tokens = known.len() as u64 * MOONCAKE_BLOCK + sampled(self.first, random);
        let (least, most) = self.turns;
        for _ in 0..random.random_range(least..=most) {
            let answer = sampled(self.answer, random);
            let full = (tokens / MOONCAKE_BLOCK) as usize;
            known.extend(ids.by_ref().take(full - known.len()));
            let mut own = known.clone();
            if !tokens.is_multiple_of(MOONCAKE_BLOCK) {
                // The next turn fills this block up, and it is another one then.
                own.extend(ids.by_ref().take(1));
            }
            lines.push(Line { at, session, input_tokens: tokens, output_tokens: answer, ids: own });
            tokens += answer + sampled(self.more, random);
            at += answer as f64 * TOKEN_TIME + self.thinking * random.sample::<f64, _>(rand_distr::Exp1);
        }
    }
}

/// A length in tokens, at least 1.
fn sampled((median, spread): (f64, f64), random: &mut Pcg64Mcg) -> u64 {
    LogNormal::new(median.max(1.0).ln(), spread).map_or(1, |lengths| lengths.sample(random).max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::trace::{Format, Trace};

    fn written(workload: Workload, seed: u64) -> String {
        let mut text = Vec::new();
        workload.write(600.0, seed, &mut text).expect("memory");
        String::from_utf8(text).expect("JSON")
    }

    #[test]
    fn every_workload_is_a_trace_in_the_order_of_time_and_the_same_by_its_seed() {
        for workload in Workload::ALL {
            let text = written(workload, 3);
            let trace = Trace::text(&text, Format::Mooncake);
            let arrivals: Vec<_> = trace.arrivals().expect("memory").map(|line| line.expect("readable")).collect();
            assert!(arrivals.len() > 500 && arrivals.is_sorted_by(|a, b| a.at <= b.at), "{workload:?}");
            assert!(arrivals.iter().all(|arrival| arrival.session.is_some()));
            assert!(text == written(workload, 3) && text != written(workload, 4), "{workload:?}");
        }
    }

    #[test]
    fn agents_send_nine_tenths_again_and_batch_jobs_nothing() {
        for (workload, share) in
            [(Workload::Agents, 0.85..0.92), (Workload::Tools, 0.4..0.75), (Workload::Batch, 0.0..0.001)]
        {
            let (mut seen, mut again, mut all) = (std::collections::HashSet::new(), 0, 0);
            let text = written(workload, 1);
            for arrival in Trace::text(&text, Format::Mooncake).arrivals().expect("memory") {
                let arrival = arrival.expect("readable");
                again += arrival.chain.iter().take_while(|block| seen.contains(*block)).count() as u64 * MOONCAKE_BLOCK;
                all += arrival.input_tokens;
                seen.extend(arrival.chain);
            }
            let found = again as f64 / all as f64;
            assert!(share.contains(&found), "{workload:?}: {found}");
        }
    }
}
