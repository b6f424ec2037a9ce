//! What the series of a page add up to.
//!
//! An engine with several ranks has a series for each. Ranks with queues of their own (data parallel, or another
//! model) are groups, which are added; ranks inside a group repeat each other, so the largest counts.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::families::{DIALECTS, Dialect, Family, Says, Signal};
use super::lora::Lora;
use super::sample::{self, Labels, Sample};
use crate::model::{EngineKind, EngineReport};

/// Groups of one page: far more ranks than a server has. Series of further groups are passed over.
const MOST_GROUPS: usize = 256;

/// The one family that all engines have in common: when the process began.
const PROCESS_START: &str = "process_start_time_seconds";

/// The lines so far, taken together.
#[derive(Debug, Default)]
pub struct Totals {
    /// Only the names of this engine count; of any, where there is none.
    only: Option<EngineKind>,
    /// Whose names were found, in the order of [`EngineKind::ALL`].
    found: [bool; EngineKind::ALL.len()],
    groups: Vec<Group>,
    lora: Lora,
    process_start: Option<f64>,
}

/// One queue of an engine.
#[derive(Debug)]
struct Group {
    engine: EngineKind,
    /// Hash of the labels that tell it from the engine's other groups.
    key: u64,
    values: [Option<f64>; Signal::COUNT],
}

impl Totals {
    /// Nothing yet of a page by `engine`, or by any.
    pub fn of(engine: Option<EngineKind>) -> Self {
        Self { only: engine, ..Self::default() }
    }

    /// Takes one line in, without its end.
    pub fn line(&mut self, line: &[u8]) {
        if !self.wants(sample::family(line)) {
            return;
        }
        let Some(Sample { family, labels, value }) = Sample::parse(line) else { return };
        // NaN, infinities and negative numbers say nothing about a queue.
        let value = Some(value).filter(|value| value.is_finite() && *value >= 0.0);
        if family == PROCESS_START {
            self.process_start = value.or(self.process_start);
            return;
        }
        for (found, dialect) in self.dialects() {
            for known in dialect.families.iter().filter(|known| known.name == family) {
                self.found[found] = true;
                if let Some(value) = value.filter(|_| is_wanted(known, &labels)) {
                    self.series(dialect, known, &labels, value);
                }
            }
        }
    }

    /// What the page says, all in all.
    pub fn report(self) -> EngineReport {
        let found = EngineKind::ALL.into_iter().zip(self.found).find_map(|(engine, found)| found.then_some(engine));
        let values = |signal: Signal| {
            let of_engine = self.groups.iter().filter(move |group| Some(group.engine) == found);
            of_engine.filter_map(move |group| group.values[signal as usize])
        };
        let sum = |signal: Signal| values(signal).reduce(|sum, value| sum + value);
        let most = |signal: Signal| values(signal).reduce(f64::max);
        // A float too large for the integer becomes its maximum.
        let count = |sum: f64| sum as u32;
        let size = |sum: f64| sum as u64;
        EngineReport {
            engine: found,
            waiting: sum(Signal::Waiting).or_else(|| sum(Signal::Pending)).map(count),
            running: sum(Signal::Running).map(count),
            kv_usage: most(Signal::KvUsage).map(|share| share.min(1.0)),
            block_tokens: most(Signal::BlockTokens).map(size),
            blocks: sum(Signal::Blocks).map(size),
            adapters: self.lora.report(),
            process_start: self.process_start,
        }
    }

    /// Whether lines of this family are read.
    fn wants(&self, family: &[u8]) -> bool {
        let mut known = self.dialects().flat_map(|(_, dialect)| dialect.families);
        family == PROCESS_START.as_bytes() || known.any(|known| known.name.as_bytes() == family)
    }

    /// The engines whose names count, with their places.
    fn dialects(&self) -> impl Iterator<Item = (usize, &'static Dialect)> + use<> {
        let only = self.only;
        DIALECTS.iter().enumerate().filter(move |(_, dialect)| only.is_none_or(|only| only == dialect.engine))
    }

    fn series(&mut self, dialect: &Dialect, family: &Family, labels: &Labels<'_>, value: f64) {
        match family.says {
            Says::Value(signal) => self.note(dialect, labels, signal, value),
            Says::Cache { block_tokens, blocks } => {
                for (name, text) in labels.clone() {
                    // A cache that is not sized yet says `None`.
                    let Ok(number) = text.parse::<u64>() else { continue };
                    if name == block_tokens {
                        self.note(dialect, labels, Signal::BlockTokens, number as f64);
                    } else if name == blocks {
                        self.note(dialect, labels, Signal::Blocks, number as f64);
                    }
                }
            }
            Says::Adapters => self.lora.series(labels, value),
        }
    }

    fn note(&mut self, dialect: &Dialect, labels: &Labels<'_>, signal: Signal, value: f64) {
        let (engine, key) = (dialect.engine, key(dialect, labels));
        let place = self.groups.iter().position(|group| group.engine == engine && group.key == key);
        let group = match place {
            Some(place) => &mut self.groups[place],
            None if self.groups.len() >= MOST_GROUPS => return,
            None => self.groups.push_mut(Group { engine, key, values: [None; Signal::COUNT] }),
        };
        let held = &mut group.values[signal as usize];
        *held = Some(held.map_or(value, |held| held.max(value)));
    }
}

fn is_wanted(family: &Family, labels: &Labels<'_>) -> bool {
    let Some((name, wanted)) = family.only else { return true };
    labels.clone().find(|(label, _)| *label == name).map_or(wanted.is_empty(), |(_, value)| value == wanted)
}

/// The same for two series of one group, in whatever order their labels are; an empty label is an absent one.
fn key(dialect: &Dialect, labels: &Labels<'_>) -> u64 {
    labels.clone().filter(|(_, value)| !value.is_empty()).fold(0, |key, (name, value)| {
        match (1..).zip(dialect.apart).find(|(_, apart)| **apart == name) {
            Some((seed, _)) => key.wrapping_add(xxh3_64_with_seed(value.as_bytes(), seed)),
            None => key,
        }
    })
}
