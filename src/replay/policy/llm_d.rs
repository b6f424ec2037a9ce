//! llm-d's scorers as its sources and pages were read, inside this model: not the product.
//!
//! 3 times the share of the prompt that its own index believes to be cached, 2 times the queue and 2 times the KV
//! usage of the last scrape, each from 0 to 1; the highest sum wins, ties at random.

use std::sync::Arc;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::replay::Seconds;
use crate::replay::engine::Gauges;
use crate::replay::trace::Arrival;
use crate::state::{Lane, PrefixIndex, PrefixScratch};

use super::view::least;
use super::{Policy, Said, Setting, View};

const PREFIX_WEIGHT: f64 = 3.0;
const QUEUE_WEIGHT: f64 = 2.0;
const KV_WEIGHT: f64 = 2.0;

/// The policy.
pub struct LlmD {
    index: PrefixIndex,
    lanes: Vec<Arc<Lane>>,
    blocks: usize,
    block_tokens: u64,
    said: Vec<Gauges>,
    random: Pcg64Mcg,
    chain: Vec<u64>,
    depths: Vec<u32>,
    scratch: PrefixScratch,
}

impl LlmD {
    pub fn new(setting: &Setting) -> Self {
        let Setting { replicas, block_tokens, blocks, seed, .. } = *setting;
        Self {
            index: PrefixIndex::default(),
            lanes: (0u32..).take(replicas).map(|slot| Arc::new(Lane::new(slot))).collect(),
            blocks,
            block_tokens,
            said: vec![Gauges::default(); replicas],
            random: Pcg64Mcg::seed_from_u64(seed),
            chain: Vec::new(),
            depths: vec![0; replicas],
            scratch: PrefixScratch::default(),
        }
    }
}

impl Policy for LlmD {
    fn pick(&mut self, arrival: &Arrival, view: &View<'_>, _: Seconds) -> Option<usize> {
        self.chain.clear();
        self.chain.extend(arrival.chain.iter().map(|block| block.0));
        self.index.depths(&self.chain, &mut self.depths, &mut self.scratch);
        let most = view.members.iter().map(|engine| self.said[*engine].waiting).max()?;
        let fewest = view.members.iter().map(|engine| self.said[*engine].waiting).min()?;
        let badness = |engine: &usize| {
            let (said, depth) = (&self.said[*engine], self.depths[*engine]);
            let matched = (u64::from(depth) * self.block_tokens) as f64 / arrival.input_tokens as f64;
            // Where all queues are alike, each is as good as none.
            let queue = if most == fewest { 1.0 } else { (most - said.waiting) as f64 / (most - fewest) as f64 };
            (*engine, -(PREFIX_WEIGHT * matched + QUEUE_WEIGHT * queue + KV_WEIGHT * (1.0 - said.kv_usage)))
        };
        let pick = least(&mut self.random, view.members.iter().map(badness))?;
        self.index.record(&self.lanes[pick], &self.chain, self.blocks);
        Some(pick)
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        let known = self.lanes.len();
        for number in known..members.last().map_or(known, |last| last + 1) {
            self.lanes.push(Arc::new(Lane::new(u32::try_from(number).unwrap_or(u32::MAX))));
            self.said.push(Gauges::default());
            self.depths.push(0);
        }
    }

    fn scraped(&mut self, engine: usize, said: &Said, _: Seconds) {
        self.said[engine] = said.gauges;
    }
}
